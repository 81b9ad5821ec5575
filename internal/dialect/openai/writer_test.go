package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// write renders what play tells.
func write(t *testing.T, streamed bool, play func(*form.Emitter) error) (string, error) {
	t.Helper()
	body := `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	if streamed {
		body = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	}
	w := askFor("/v1/chat/completions", []byte(body)).Front.Writer(form.Info{RequestID: "r-1", Model: "m"})
	var out []byte
	em := form.NewEmitter("r", func(ev *form.Event) (err error) {
		out, err = w.Write(out, ev)
		return err
	})
	if err := play(em); err != nil {
		return string(out), err
	}
	out, err := w.End(out)
	return string(out), err
}

// An agent decides by the finish reason whether to go on; an invented stop ends
// its work.
func TestFinishReasons(t *testing.T) {
	for _, c := range []struct {
		reason          form.StopReason
		called, refused bool
		want            string
	}{
		{form.StopEnd, false, false, "stop"},
		{form.StopEnd, true, false, "tool_calls"},
		{form.StopSequence, false, false, "stop"},
		{form.StopPause, false, false, "stop"},
		{form.StopLength, false, false, "length"},
		{form.StopLength, true, false, "length"},
		{form.StopContext, false, false, "length"},
		{form.StopCalls, true, false, "tool_calls"},
		{form.StopFilter, false, false, "content_filter"},
		{form.StopRefusal, false, false, "content_filter"},
		{form.StopRefusal, false, true, "stop"},
		{form.StopMalformed, false, false, ""},
	} {
		for _, streamed := range []bool{false, true} {
			out, err := write(t, streamed, func(em *form.Emitter) error {
				if c.called {
					if err := em.Call(0, "0", form.Call{ID: "a", Name: "f"}, "", form.Signature{}); err != nil {
						return err
					}
				}
				if c.refused {
					if err := em.Refusal(0, "no"); err != nil {
						return err
					}
				}
				return em.Finish(0, c.reason, "")
			})
			if c.want == "" {
				if sluice.CodeOf(err) != sluice.CodeProviderError {
					t.Errorf("%s: %v", c.reason, err)
				}
				continue
			}
			if err != nil || !strings.Contains(out, `"finish_reason":"`+c.want+`"`) {
				t.Errorf("%s: %v %s", c.reason, err, out)
			}
		}
	}
}

// Text travels as it is: an escape too many, or a byte that is no UTF-8, breaks
// a client's parser.
func TestTextSurvives(t *testing.T) {
	for _, text := range []string{"a\"b\\c\n\r\t\x00\x1f", "<b>&amp;</b>", "grüße 日本 \U0001F600", "\u2028", "bad \xff\xc3 bytes"} {
		out, err := write(t, true, func(em *form.Emitter) error {
			return all(em.Text(0, text), em.Finish(0, form.StopEnd, ""))
		})
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(out, "data: "), "\n\n")
		var chunk struct {
			Choices []struct {
				Delta struct{ Content string }
			}
		}
		if err := json.Unmarshal([]byte(first), &chunk); err != nil {
			t.Fatalf("%v in %q", err, first)
		}
		var want string
		if err := json.Unmarshal([]byte(mustJSON(text)), &want); err != nil {
			t.Fatal(err)
		}
		if got := chunk.Choices[0].Delta.Content; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Every class of usage must be found again in the sums, once.
func TestUsageAddsUp(t *testing.T) {
	out, err := write(t, false, func(em *form.Emitter) error {
		return all(em.Text(0, "a"), em.Finish(0, form.StopEnd, ""), em.Usage(sluice.Usage{
			Input: 1, CachedInput: 20, CacheWrite5m: 300, CacheWrite1h: 4000, AudioInput: 50000,
			Output: 6, Reasoning: 70, AudioOutput: 800, Image: 9000,
		}))
	})
	const want = `"usage":{"prompt_tokens":54321,"completion_tokens":9876,"total_tokens":64197,` +
		`"prompt_tokens_details":{"cached_tokens":20,"audio_tokens":50000,"cache_write_tokens":4300},` +
		`"completion_tokens_details":{"reasoning_tokens":70,"audio_tokens":800,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0,"image_tokens":9000}}`
	if err != nil || !strings.Contains(out, want) {
		t.Errorf("%v %s", err, out)
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
