package form_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// A provider could fill the memory with what waits behind a call that it never
// completes: probabilities are many times as large as their text.
func TestProbabilitiesThatWaitAreBounded(t *testing.T) {
	probs := &form.Logprobs{Tokens: []form.Token{{Text: "word", Logprob: "-0.25", Top: make([]form.Token, 20)}}}
	em := form.NewEmitter("r", func(*form.Event) error { return nil })
	if err := em.Call(0, "a", form.Call{ID: "a", Name: "f"}, "{", form.Signature{}); err != nil {
		t.Fatal(err)
	}
	var err error
	taken := 0
	for ; err == nil && taken < 10_000; taken++ {
		err = em.TextWith(0, "word", probs)
	}
	if sluice.CodeOf(err) != sluice.CodeProviderTooLarge {
		t.Errorf("%d tokens wait: %v", taken, err)
	}
}

// What waited and was told would count forever, and refuse an answer that is small.
func TestProbabilitiesThatWereToldCountNoMore(t *testing.T) {
	probs := &form.Logprobs{Tokens: []form.Token{{Text: strings.Repeat("x", 300<<10), Logprob: "-0.25"}}}
	em := form.NewEmitter("r", func(*form.Event) error { return nil })
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		if err := em.Call(0, key, form.Call{ID: key, Name: "f"}, "{", form.Signature{}); err != nil {
			t.Fatal(err)
		}
		if err := em.TextWith(0, "word", probs); err != nil {
			t.Fatalf("behind call %s: %v", key, err)
		}
		if err := em.Call(0, key, form.Call{}, "}", form.Signature{}); err != nil {
			t.Fatal(err)
		}
	}
}
