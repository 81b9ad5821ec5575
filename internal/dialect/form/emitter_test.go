package form_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// told renders events so that a reviewer reads an answer in one line.
func told(events *[]string) func(*form.Event) error {
	return func(ev *form.Event) error {
		*events = append(*events, show(ev))
		return nil
	}
}

func show(ev *form.Event) string {
	at := fmt.Sprintf("%d.%d", ev.Choice, ev.Index)
	switch ev.Kind {
	case form.EventPartStart:
		if c := ev.Part.Call; c != nil {
			return fmt.Sprintf("%s{call %s %s%s", at, c.ID, c.Name, ev.Part.Signature.Value)
		}
		return at + "{" + string(ev.Part.Kind)
	case form.EventDelta:
		return at + "+" + ev.Text + ev.Sealed + mark(ev.Signature.Value)
	case form.EventPartStop:
		return at + "}"
	case form.EventFinish:
		return fmt.Sprintf("%d=%s", ev.Choice, ev.Reason)
	case form.EventUsage:
		return fmt.Sprintf("usage %d", ev.Usage.Output)
	}
	return string(ev.Kind) + ev.ID
}

func mark(signature string) string {
	if signature == "" {
		return ""
	}
	return "#" + signature
}

// sign is a signature of a provider.
func sign(value string) form.Signature { return form.Signature{Origin: "p", Value: value} }

// Every writer relies on parts that follow each other: of two that overlap, a
// client's SDK keeps one, or fails.
func TestEmitterTellsPartsInOrder(t *testing.T) {
	type e = *form.Emitter
	call := func(em e, key, id, name, piece string) error {
		return em.Call(0, key, form.Call{ID: id, Name: name}, piece, form.Signature{})
	}
	for _, c := range []struct {
		name string
		play func(e) error
		want string
	}{
		{"text", func(em e) error { return all(em.Text(0, "a"), em.Text(0, "b"), em.Finish(0, form.StopEnd, "")) },
			"start 0.0{text 0.0+a 0.0+b 0.0} 0=end"},
		{"nothing", func(em e) error { return em.Finish(0, form.StopLength, "") }, "start 0=length"},
		{"empty pieces open nothing", func(em e) error {
			return all(em.Text(0, ""), em.Reasoning(0, ""), em.Refusal(0, ""), em.Signature(0, form.Signature{}), em.Finish(0, form.StopEnd, ""))
		}, "start 0=end"},
		{"kinds change", func(em e) error {
			return all(em.Reasoning(0, "t"), em.Text(0, "a"), em.Reasoning(0, "u"), em.Refusal(0, "r"), em.Finish(0, form.StopEnd, ""))
		}, "start 0.0{reasoning 0.0+t 0.0} 0.1{text 0.1+a 0.1} 0.2{reasoning 0.2+u 0.2} 0.3{refusal 0.3+r 0.3} 0=end"},
		{"a thought behind a signature is another", func(em e) error {
			return all(em.Reasoning(0, "t"), em.Signature(0, sign("s")), em.Reasoning(0, "u"), em.Finish(0, form.StopEnd, ""))
		}, "start 0.0{reasoning 0.0+t 0.0+#s 0.0} 0.1{reasoning 0.1+u 0.1} 0=end"},
		{"a lone signature is a part", func(em e) error {
			return all(em.Text(0, "a"), em.Signature(0, sign("s")), em.Finish(0, form.StopEnd, ""))
		}, "start 0.0{text 0.0+a 0.0} 0.1{reasoning 0.1+#s 0.1} 0=end"},
		{"sealed thoughts stand alone", func(em e) error {
			return all(em.Reasoning(0, "t"), em.Sealed(0, "p", "X"), em.Sealed(0, "p", "Y"), em.Reasoning(0, "u"), em.Finish(0, form.StopEnd, ""))
		}, "start 0.0{reasoning 0.0+t 0.0} 0.1{reasoning 0.1+X 0.1} 0.2{reasoning 0.2+Y 0.2} 0.3{reasoning 0.3+u 0.3} 0=end"},
		{"a call without arguments", func(em e) error {
			return all(call(em, "0", "a", "f", ""), em.Finish(0, form.StopCalls, ""))
		}, "start 0.0{call a f 0.0} 0=tool_calls"},
		{"interleaved calls", func(em e) error {
			return all(call(em, "0", "a", "f", `{"x"`), call(em, "1", "b", "g", `{`), call(em, "0", "", "", `:1}`), call(em, "1", "", "", `}`), em.Finish(0, form.StopCalls, ""))
		}, `start 0.0{call a f 0.0+{"x" 0.0+:1} 0.0} 0.1{call b g 0.1+{ 0.1+} 0.1} 0=tool_calls`},
		{"text waits behind a call that is not whole", func(em e) error {
			return all(call(em, "0", "a", "f", `{"x"`), em.Text(0, "and"), call(em, "0", "", "", `:1}`), em.Text(0, " so"), em.Finish(0, form.StopEnd, ""))
		}, `start 0.0{call a f 0.0+{"x" 0.0+:1} 0.0} 0.1{text 0.1+and 0.1+ so 0.1} 0=end`},
		{"braces inside of strings end nothing", func(em e) error {
			return all(call(em, "0", "a", "f", `{"x":"}\"`), call(em, "1", "b", "g", `{}`), call(em, "0", "", "", `}"}`), em.Finish(0, form.StopCalls, ""))
		}, `start 0.0{call a f 0.0+{"x":"}\" 0.0+}"} 0.0} 0.1{call b g 0.1+{} 0.1} 0=tool_calls`},
		{"a truncated call ends with its choice", func(em e) error {
			return all(call(em, "0", "a", "f", `{"x"`), call(em, "1", "b", "g", ``), em.Finish(0, form.StopLength, ""))
		}, `start 0.0{call a f 0.0+{"x" 0.0} 0.1{call b g 0.1} 0=length`},
		{"free text shows no end of its own", func(em e) error {
			custom := form.Call{ID: "a", Name: "f", Custom: true}
			return all(em.Call(0, "0", custom, "{}", form.Signature{}), call(em, "1", "b", "g", `{}`), call(em, "0", "", "", " more"), em.Finish(0, form.StopCalls, ""))
		}, `start 0.0{call a f 0.0+{} 0.0+ more 0.0} 0.1{call b g 0.1+{} 0.1} 0=tool_calls`},
		{"calls of one key and other ids", func(em e) error {
			return all(call(em, "0", "a", "f", `{}`), call(em, "0", "b", "g", `{}`), em.Finish(0, form.StopCalls, ""))
		}, `start 0.0{call a f 0.0+{} 0.0} 0.1{call b g 0.1+{} 0.1} 0=tool_calls`},
		{"ids are made where there are none", func(em e) error {
			return all(call(em, "x", "", "f", `{}`), call(em, "y", "", "g", `{}`), em.Finish(0, form.StopCalls, ""))
		}, `start 0.0{call call_ab_1 f 0.0+{} 0.0} 0.1{call call_ab_2 g 0.1+{} 0.1} 0=tool_calls`},
		{"an id that is repeated", func(em e) error {
			return all(call(em, "0", "a", "f", `{`), call(em, "0", "a", "f", `}`), em.Finish(0, form.StopCalls, ""))
		}, `start 0.0{call a f 0.0+{ 0.0+} 0.0} 0=tool_calls`},
		{"space behind a call that was told", func(em e) error {
			return all(call(em, "0", "a", "f", `{}`), call(em, "1", "b", "g", `{}`), em.Close(0), call(em, "0", "", "", " "), em.Finish(0, form.StopCalls, ""))
		}, `start 0.0{call a f 0.0+{} 0.0} 0.1{call b g 0.1+{} 0.1} 0=tool_calls`},
		{"choices are apart", func(em e) error {
			return all(em.Text(1, "b"), em.Text(0, "a"), em.Text(1, "c"), em.Finish(1, form.StopEnd, ""), em.Finish(0, form.StopEnd, ""))
		}, "start 1.0{text 1.0+b 0.0{text 0.0+a 1.0+c 1.0} 1=end 0.0} 0=end"},
		{"only the first end counts", func(em e) error {
			return all(em.Text(0, "a"), em.Finish(0, form.StopLength, ""), em.Finish(0, form.StopEnd, ""), em.Text(0, ""))
		}, "start 0.0{text 0.0+a 0.0} 0=length"},
		{"whole parts", func(em e) error {
			return all(em.Text(0, "a"), em.Whole(0, form.Part{Kind: form.PartImage}), em.Text(0, "b"), em.Finish(0, form.StopEnd, ""))
		}, "start 0.0{text 0.0+a 0.0} 0.1{image 0.1} 0.2{text 0.2+b 0.2} 0=end"},
		{"parts that are closed", func(em e) error {
			return all(em.Text(0, "a"), em.Close(0), em.Text(0, "b"), em.Close(0), em.Close(0), em.Finish(0, form.StopEnd, ""))
		}, "start 0.0{text 0.0+a 0.0} 0.1{text 0.1+b 0.1} 0=end"},
		{"the start comes once and first", func(em e) error {
			return all(em.Start("i", 1), em.Usage(sluice.Usage{Output: 3}), em.Start("j", 2), em.Finish(0, form.StopEnd, ""))
		}, "starti usage 3 0=end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var events []string
			em := form.NewEmitter("a-b", told(&events))
			if err := c.play(em); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(events, " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if !em.Finished() {
				t.Error("it is not finished")
			}
		})
	}
}

// all returns the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A signature that belongs to a call must not wander off to another part.
func TestEmitterKeepsSignaturesOfCalls(t *testing.T) {
	var events []string
	em := form.NewEmitter("r", told(&events))
	err := all(em.Call(0, "0", form.Call{ID: "a", Name: "f"}, "{}", sign("s")), em.Finish(0, form.StopCalls, ""))
	if got := strings.Join(events, " "); err != nil || got != "start 0.0{call a fs 0.0+{} 0.0} 0=tool_calls" {
		t.Errorf("%v %s", err, got)
	}
}

// What a provider sends decides how much memory its answer takes, unless
// somebody draws a line.
func TestEmitterLimits(t *testing.T) {
	ignore := func(*form.Event) error { return nil }
	for name, play := range map[string]func(*form.Emitter) error{
		"too many parts": func(em *form.Emitter) error {
			for range 5000 {
				if err := em.Whole(0, form.Part{Kind: form.PartImage}); err != nil {
					return err
				}
			}
			return nil
		},
		"too many choices": func(em *form.Emitter) error {
			for i := range 200 {
				if err := em.Text(i, "a"); err != nil {
					return err
				}
			}
			return nil
		},
		"too much interleaved": func(em *form.Emitter) error {
			if err := em.Call(0, "0", form.Call{ID: "a", Name: "f"}, "{", form.Signature{}); err != nil {
				return err
			}
			for range 40 {
				if err := em.Text(0, strings.Repeat("x", 64<<10)); err != nil {
					return err
				}
			}
			return nil
		},
		"content behind the end": func(em *form.Emitter) error {
			return all(em.Finish(0, form.StopEnd, ""), em.Text(0, "a"))
		},
		"more of a call that was whole": func(em *form.Emitter) error {
			return all(em.Call(0, "0", form.Call{ID: "a", Name: "f"}, "{}", form.Signature{}), em.Text(0, "a"),
				em.Call(0, "0", form.Call{}, "{}", form.Signature{}))
		},
	} {
		err := play(form.NewEmitter("r", ignore))
		if code := sluice.CodeOf(err); code != sluice.CodeProviderError && code != sluice.CodeProviderTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An answer whose choices did not all end was cut off.
func TestEmitterFinished(t *testing.T) {
	em := form.NewEmitter("r", func(*form.Event) error { return nil })
	if em.Finished() {
		t.Error("nothing came and it is finished")
	}
	if err := all(em.Text(0, "a"), em.Text(1, "b"), em.Finish(0, form.StopEnd, "")); err != nil {
		t.Fatal(err)
	}
	if em.Finished() || em.Called(0) {
		t.Error("a choice is open, and none called")
	}
	if err := em.Finish(1, form.StopEnd, ""); err != nil || !em.Finished() {
		t.Errorf("all are over: %v", err)
	}
}

// The client's connection is gone: whoever writes must learn it at once.
func TestEmitterHandsErrorsOn(t *testing.T) {
	gone := sluice.Errorf(sluice.CodeClientGone, "gone")
	em := form.NewEmitter("r", func(ev *form.Event) error {
		if ev.Kind == form.EventDelta {
			return gone
		}
		return nil
	})
	if err := em.Text(0, "a"); err != gone {
		t.Errorf("got %v", err)
	}
}
