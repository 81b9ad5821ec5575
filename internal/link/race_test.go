//go:build race

package link_test

// manyKeys is how many keys a test of size takes: the race detector makes each
// ten times as expensive.
const manyKeys = 10_000
