// Package sluicetest is the harness of the tests: a scripted upstream on a real
// listener that can misbehave in every way a bad day has, and a clock that moves
// when told. Only external tests import it.
//
// Start at [NewUpstream].
package sluicetest
