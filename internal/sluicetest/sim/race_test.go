//go:build race

package sim_test

// raceEnabled thins out loops that the race detector makes ten times slower.
const raceEnabled = true
