//go:build !race

package builtin_test

import "testing"

// carriedBudget is what a short chat may allocate on its way to a provider of
// another protocol and back, all told: the conversation in its intermediate form,
// what the encoder makes of it, the decoder and the writer.
const carriedBudget = 12

// Without it, translations come to cost what they did before their memory was kept
// from one to the next: 29 allocations of 7 KB, which the collector pays for.
func TestTranslationKeepsItsMemory(t *testing.T) {
	c := newCarried(t)
	n := testing.AllocsPerRun(500, func() {
		ask, leg := c.open(t)
		c.finish(t, leg)
		c.release(ask, leg)
	})
	if n > carriedBudget {
		t.Errorf("%.1f allocations, %d are allowed", n, carriedBudget)
	} else {
		t.Logf("%.1f allocations", n)
	}
}
