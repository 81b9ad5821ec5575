package upstream_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/upstream"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func zero() uint64 { return 0 }

// picks returns the keys of n picks as one string.
func picks(s *upstream.Set, n int, keys string, fits func(int) bool) string {
	var out strings.Builder
	for range n {
		c := s.Pick(start, nil, fits)
		if !c.OK {
			out.WriteByte('-')
			continue
		}
		out.WriteByte(keys[c.Index])
	}
	return out.String()
}

// Weights that are not kept to, or come in bursts, overload the small target.
func TestSmoothWeights(t *testing.T) {
	s := upstream.NewPool(zero).Open("s", []upstream.Target{{Key: "a", Weight: 5}, {Key: "b", Weight: 1}, {Key: "c", Weight: 1}, {Key: "off", Weight: 0}})
	if got := picks(s, 14, "abc!", nil); got != "aabacaaaabacaa" {
		t.Errorf("got %s", got)
	}
}

// A lower tier used while the upper one works costs the operator money.
func TestTiers(t *testing.T) {
	s := upstream.NewPool(zero).Open("s", []upstream.Target{{Key: "b", Weight: 1, Priority: 1}, {Key: "a", Weight: 1}, {Key: "c", Weight: 9, Priority: 2}})
	if got := picks(s, 3, "bac", nil); got != "aaa" {
		t.Fatalf("got %s", got)
	}
	for range upstream.FailuresToCool {
		s.Failed(1, start)
	}
	if got := picks(s, 3, "bac", nil); got != "bbb" {
		t.Errorf("with a cooling: %s", got)
	}
	if got := picks(s, 1, "bac", func(i int) bool { return i == 2 }); got != "c" {
		t.Errorf("only c fits: %s", got)
	}
	if got := picks(s, 1, "bac", func(int) bool { return false }); got != "-" {
		t.Errorf("none fits: %s", got)
	}
}

// A target tried twice in one request wastes the attempt.
func TestTriedAreExcluded(t *testing.T) {
	s := upstream.NewPool(zero).Open("s", []upstream.Target{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}})
	first := s.Pick(start, nil, nil)
	second := s.Pick(start, func(i int) bool { return i == first.Index }, nil)
	third := s.Pick(start, func(int) bool { return true }, nil)
	if !second.OK || second.Index == first.Index || third.OK {
		t.Errorf("got %v, %v, %v", first, second, third)
	}
}

// A failing target has to leave, come back by one probe, and stay away longer
// each time; without that every request pays for it.
func TestCoolDown(t *testing.T) {
	s := upstream.NewPool(zero).Open("s", []upstream.Target{{Key: "a", Weight: 1}, {Key: "b", Weight: 1, Priority: 1}})
	at := func(after time.Duration) int { return s.Pick(start.Add(after), nil, nil).Index }
	for range upstream.FailuresToCool - 1 {
		s.Failed(0, start)
	}
	if at(0) != 0 {
		t.Fatal("out too early")
	}
	s.Failed(0, start)
	if at(0) != 1 || at(999*time.Millisecond) != 1 {
		t.Fatal("not out")
	}
	if at(time.Second) != 0 || at(time.Second) != 1 {
		t.Fatal("want exactly one probe")
	}
	s.Failed(0, start.Add(time.Second))
	if at(2900*time.Millisecond) != 1 || at(3*time.Second) != 0 {
		t.Fatal("the second pause is not twice the first")
	}
	s.Succeeded(0)
	for range 2 {
		if at(3*time.Second) != 0 {
			t.Fatal("not back after a success")
		}
	}
}

// A probe that ended with the client's hang-up must not keep a target out.
func TestReleasedProbe(t *testing.T) {
	s := upstream.NewPool(zero).Open("s", []upstream.Target{{Key: "a", Weight: 1}, {Key: "b", Weight: 1, Priority: 1}})
	for range upstream.FailuresToCool {
		s.Failed(0, start)
	}
	later := start.Add(time.Minute)
	if s.Pick(later, nil, nil).Index != 0 || s.Pick(later, nil, nil).Index != 1 {
		t.Fatal("want one probe")
	}
	s.Released(0)
	if s.Pick(later, nil, nil).Index != 0 {
		t.Error("the probe was lost")
	}
}

// The last target must stay reachable after failures, but a 429 is respected and
// tells when to come back.
func TestLastTarget(t *testing.T) {
	s := upstream.NewPool(zero).Open("s", []upstream.Target{{Key: "a", Weight: 1}})
	for range 10 {
		s.Failed(0, start)
	}
	if !s.Pick(start, nil, nil).OK {
		t.Error("the last target was taken out")
	}
	s.Rest(0, start, 7*time.Second)
	if c := s.Pick(start, nil, nil); c.OK || c.Wait != 7*time.Second {
		t.Errorf("got %+v", c)
	}
	s.Rest(0, start, time.Hour)
	if c := s.Pick(start.Add(upstream.AdviceMax), nil, nil); !c.OK {
		t.Error("advice is not bounded")
	}
}

// Health that is lost with every configuration change sends traffic back to a
// broken target each time somebody adds a key; health that is never forgotten leaks.
func TestStateSurvivesChanges(t *testing.T) {
	p := upstream.NewPool(zero)
	old := p.Open("s", []upstream.Target{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}})
	old.Rest(0, start, time.Minute)
	changed := p.Open("s", []upstream.Target{{Key: "c", Weight: 1}, {Key: "a", Weight: 7}})
	other := p.Open("other", []upstream.Target{{Key: "a", Weight: 1}})
	old.Close()
	if c := changed.Pick(start, nil, nil); c.Index != 0 {
		t.Error("a forgot its pause")
	}
	if c := other.Pick(start, nil, nil); !c.OK {
		t.Error("another set shares the pause")
	}
	if n := p.Len(); n != 3 {
		t.Errorf("%d states, want 3", n)
	}
	changed.Close()
	other.Close()
	if n := p.Len(); n != 0 {
		t.Errorf("%d states leak", n)
	}
}

// Many gateways that all begin with the same target overload it at each restart.
func TestSeedStaggers(t *testing.T) {
	var first []int
	for seed := range uint64(10) {
		n := seed * 31
		p := upstream.NewPool(func() uint64 { n = n*6364136223846793005 + 1442695040888963407; return n >> 33 })
		s := p.Open("s", []upstream.Target{{Key: "a", Weight: 100}, {Key: "b", Weight: 100}})
		first = append(first, s.Pick(start, nil, nil).Index)
	}
	if !slices.Contains(first, 0) || !slices.Contains(first, 1) {
		t.Errorf("always the same first target: %v", first)
	}
}
