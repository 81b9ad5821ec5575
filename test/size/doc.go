// Package size measures the configuration at size: 100,000 keys that change under
// load, a swap of everything, a start with a million keys. It runs the real
// gateway on a real Redis; docs/PERFORMANCE.md has the figures.
//
//	go test -run - -bench . -benchtime 1x -timeout 30m ./test/size
package size
