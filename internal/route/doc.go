// Package route decides which route a request belongs to. It owns the one
// canonical form of a path and of a host, and an index that finds the best route
// among tens of thousands without walking them.
//
// It is pure: it knows nothing of plugins, targets or sockets, so that the
// gateway serves by it and control explains by it with the same answer. Start at
// [CanonicalPath], [CanonicalHost] and [New].
package route
