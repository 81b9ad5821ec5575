package anthropic

import "github.com/sluicegate/sluice/internal/dialect/form"

// reasons are the stop reasons of this API and what they mean. The first row of
// each meaning is what is written for it.
var reasons = []struct {
	wire string
	form form.StopReason
}{
	{"end_turn", form.StopEnd},
	{"max_tokens", form.StopLength},
	{"stop_sequence", form.StopSequence},
	{"tool_use", form.StopCalls},
	{"pause_turn", form.StopPause},
	{"refusal", form.StopRefusal},
	{"model_context_window_exceeded", form.StopContext},
	// This API has no filter but the model's own refusal, and no word for a call
	// that cannot be read: the turn is over without one.
	{"refusal", form.StopFilter},
	{"end_turn", form.StopMalformed},
}

// wireReason writes why an answer ended. called tells that it holds a call: a
// client would wait for the user where a provider forgot to say so.
func wireReason(reason form.StopReason, called bool) string {
	if reason == form.StopEnd && called {
		return "tool_use"
	}
	for _, r := range reasons {
		if r.form == reason {
			return r.wire
		}
	}
	return "end_turn"
}

// formReason reads why an answer ended. A reason that nobody knows yet ended it
// all the same.
func formReason(wire string) form.StopReason {
	for _, r := range reasons {
		if r.wire == wire {
			return r.form
		}
	}
	return form.StopEnd
}
