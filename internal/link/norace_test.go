//go:build !race

package link_test

// manyKeys is how many keys a test of size takes.
const manyKeys = 100_000
