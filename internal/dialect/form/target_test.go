package form_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// A parameter that vanishes unnamed, or is named twice, misleads the client;
// a strict model must refuse it.
func TestTargetDrops(t *testing.T) {
	lenient := &form.Target{}
	for _, name := range []string{"seed", "top_k", "seed"} {
		if err := lenient.Drop(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(lenient.Dropped, " "); got != "seed top_k" {
		t.Errorf("dropped %s", got)
	}
	strict := &form.Target{Strict: true}
	for field, want := range map[string]string{"": "/seed", "/tools/0": "/tools/0"} {
		err := strict.Drop("seed", field)
		if sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != want {
			t.Errorf("got %v", err)
		}
	}
}

// The names become a response field: what a client made up must neither break
// it nor fill it.
func TestDroppedNamesFitAField(t *testing.T) {
	target := &form.Target{}
	for _, name := range []string{"a\r\nSet-Cookie: x", "ü", strings.Repeat("n", 500), ""} {
		if err := target.Drop(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 {
		if err := target.Drop(fmt.Sprint("x", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	joined := strings.Join(target.Dropped, ", ")
	if len(joined) > 4<<10 || strings.ContainsFunc(joined, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("%d bytes: %q", len(joined), joined)
	}
}

// Extras that an encoder does not know must be named.
func TestTargetDropsExtras(t *testing.T) {
	target := &form.Target{}
	extras := []form.Extra{{Name: "known"}, {Name: "strange"}}
	if err := target.DropExtras(extras, func(x form.Extra) bool { return x.Name == "known" }); err != nil {
		t.Fatal(err)
	}
	if err := target.DropExtras(extras[:1], nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(target.Dropped, " "); got != "strange known" {
		t.Errorf("dropped %s", got)
	}
}

// An unknown model has no cap of its own.
func TestTargetMaxOutput(t *testing.T) {
	if (&form.Target{}).MaxOutput() != 0 || (&form.Target{Entry: &sluice.Model{MaxOutputTokens: 7}}).MaxOutput() != 7 {
		t.Error("the cap is wrong")
	}
}

// A signature that reaches another provider than its own is refused there, and
// one that loses its mark is lost.
func TestSignaturesTravel(t *testing.T) {
	for _, s := range []form.Signature{
		{Origin: form.OriginGemini, Value: "c2ln"},
		{Origin: form.OriginAnthropic, Value: "sluice-bmFtZQ=="},
		{Origin: form.OriginOpenAI, Value: "a:b:c"},
		{Origin: "xai-responses-v1", Value: "v"},
	} {
		for _, home := range []string{form.OriginAnthropic, form.OriginGemini, form.OriginOpenAI} {
			text := s.Travelling(home)
			if got := form.ReadSignature(text, home); got != s {
				t.Errorf("%+v in %s became %+v", s, home, got)
			}
			if (text == s.Value) != (s.Origin == home) {
				t.Errorf("%+v in %s travels as %q", s, home, text)
			}
		}
		if s.For(s.Origin) != s.Value || s.For("other") != "" {
			t.Errorf("%+v is shown to the wrong provider", s)
		}
	}
	if (form.Signature{}).Travelling("a") != "" || form.ReadSignature("", "a") != (form.Signature{}) {
		t.Error("no signature became one")
	}
}

// Protocols whose roles alternate, or that know leading instructions only, must
// get every part, in order, and leave the request as it was for the next
// target.
func TestSplitAndMerged(t *testing.T) {
	text := func(role form.Role, s string) form.Turn {
		return form.Turn{Role: role, Parts: []form.Part{{Kind: form.PartText, Text: s}}}
	}
	chat := &form.Chat{Turns: []form.Turn{
		text(form.RoleSystem, "a"), text(form.RoleUser, "b"), text(form.RoleSystem, "c"), text(form.RoleUser, "d"), text(form.RoleAssistant, "e"),
	}}
	system, turns := chat.Split()
	if got := form.Text(system, "|"); got != "a|c" {
		t.Errorf("instructions are %s", got)
	}
	merged := form.Merged(turns)
	if len(merged) != 2 || form.Text(merged[0].Parts, "|") != "b|d" || form.Text(merged[1].Parts, "|") != "e" {
		t.Errorf("merged to %+v", merged)
	}
	if len(chat.Turns) != 5 || len(chat.Turns[1].Parts) != 1 {
		t.Error("the request was changed")
	}
}

// What counts as content decides whether another target may still take over.
func TestContent(t *testing.T) {
	for _, c := range []struct {
		ev   form.Event
		want bool
	}{
		{form.Event{Kind: form.EventStart}, false},
		{form.Event{Kind: form.EventPing}, false},
		{form.Event{Kind: form.EventUsage}, false},
		{form.Event{Kind: form.EventPartStart, Part: form.Part{Kind: form.PartText}}, false},
		{form.Event{Kind: form.EventPartStart, Part: form.Part{Kind: form.PartCall}}, true},
		{form.Event{Kind: form.EventPartStart, Part: form.Part{Kind: form.PartImage, Media: &form.Media{}}}, true},
		{form.Event{Kind: form.EventDelta}, false},
		{form.Event{Kind: form.EventDelta, Text: "a"}, true},
		{form.Event{Kind: form.EventDelta, Sealed: "a"}, true},
		{form.Event{Kind: form.EventPartStop}, false},
		{form.Event{Kind: form.EventFinish}, true},
	} {
		if c.ev.Content() != c.want {
			t.Errorf("%+v: want %v", c.ev, c.want)
		}
	}
}

// What a client may have said about reasoning.
func TestReasoning(t *testing.T) {
	zero, some := int64(0), int64(5)
	for _, c := range []struct {
		r           form.Reasoning
		stated, off bool
	}{
		{form.Reasoning{}, false, false},
		{form.Reasoning{Effort: "none"}, true, true},
		{form.Reasoning{Effort: "low"}, true, false},
		{form.Reasoning{Budget: &zero}, true, true},
		{form.Reasoning{Budget: &some}, true, false},
	} {
		if c.r.Stated() != c.stated || c.r.Off() != c.off {
			t.Errorf("%+v", c.r)
		}
	}
}
