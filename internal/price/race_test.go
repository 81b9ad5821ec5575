//go:build race

package price_test

// raceEnabled shortens loops that the race detector makes ten times slower.
const raceEnabled = true
