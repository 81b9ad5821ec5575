// Package convert carries a request over from one protocol to another: it is
// the [dialect.Leg] of every pair whose surface and dialect differ. A surface's
// [form.Front] and an account's [form.Back] do the reading and writing; the leg
// between them guards the answer.
//
// Start at [Open].
//
// # The guard
//
// Nothing is given to the client before the provider sent something a user would
// see: until then a failure is a real HTTP error, or another target's chance.
// From the first content on nothing is repeated, and the answer ends exactly
// once: complete, or with an error when it was cut off. Keep-alives never become
// text, errors inside a success are recognised, and memory is bounded by one
// event and what a whole answer may hold.
package convert
