package money_test

import "testing"

// A driver that cannot tell an undisturbed day from a bad one proves nothing.
func TestUndisturbed(t *testing.T) {
	rounds(t, 1)
	s := play(t, setting{})
	s.rich()
	for range 5 {
		s.callers.call(t.Context(), s.order(plan{Chunks: 3}))
		o := s.order(plan{Chunks: 2})
		o.whole = true
		s.callers.call(t.Context(), o)
	}
	if _, f := s.close(); f.answered != 10 || f.charged != 10 {
		t.Errorf("%+v", f)
		for _, r := range s.callers.all() {
			t.Logf("%+v", r)
		}
	}
}
