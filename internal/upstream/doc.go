// Package upstream chooses which target of a set gets the next attempt, and
// remembers how each target has been doing.
//
// It is pure: time and randomness come in as arguments, observations are fed by
// the gateway, and it knows nothing of providers, nodes or sockets - a target is
// a key with a weight and a priority. Start at [NewPool] and [Set.Pick].
package upstream
