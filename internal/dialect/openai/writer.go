package openai

import (
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// appendID writes the id of an answer, in the shape of this protocol.
func appendID(to []byte, info *form.Info) []byte {
	to = append(to, `"chatcmpl-`...)
	for rest := info.RequestID; rest != ""; {
		var piece string
		piece, rest, _ = strings.Cut(rest, "-")
		to = append(to, piece...)
	}
	return append(to, '"')
}

// finishReason is the word of this protocol for why an answer ended. What was
// cut off because the model wrote a call that nobody can read is no answer: it
// is an error, which another attempt may mend.
func finishReason(reason form.StopReason, called, refused bool) (string, error) {
	switch reason {
	case form.StopLength, form.StopContext:
		return "length", nil
	case form.StopFilter:
		return "content_filter", nil
	case form.StopRefusal:
		if refused {
			return "stop", nil
		}
		return "content_filter", nil
	case form.StopCalls:
		return "tool_calls", nil
	case form.StopMalformed:
		return "", peer.Broken("the model wrote a call of a tool that cannot be read")
	}
	if called && reason != form.StopSequence {
		return "tool_calls", nil
	}
	return "stop", nil
}

// appendUsage writes the usage object of this protocol: sums of our disjoint
// classes, and details that are parts of them.
func appendUsage(to []byte, u *sluice.Usage) []byte {
	number := func(name string, n int64) { to = strconv.AppendInt(append(to, name...), n, 10) }
	written := u.CacheWrite5m + u.CacheWrite1h
	prompt := u.Input + u.CachedInput + written + u.AudioInput
	completion := u.Output + u.Reasoning + u.AudioOutput + u.Image
	number(`{"prompt_tokens":`, prompt)
	number(`,"completion_tokens":`, completion)
	number(`,"total_tokens":`, prompt+completion)
	number(`,"prompt_tokens_details":{"cached_tokens":`, u.CachedInput)
	number(`,"audio_tokens":`, u.AudioInput)
	if written > 0 {
		number(`,"cache_write_tokens":`, written)
	}
	number(`},"completion_tokens_details":{"reasoning_tokens":`, u.Reasoning)
	number(`,"audio_tokens":`, u.AudioOutput)
	to = append(to, `,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0`...)
	if u.Image > 0 {
		number(`,"image_tokens":`, u.Image)
	}
	return append(to, "}}"...)
}

// imageURL is the data URL, or the address, of a picture that a model made.
func imageURL(m *form.Media) string {
	if m.Data == "" {
		return m.URL
	}
	kind := m.Type
	if kind == "" {
		kind = "image/png"
	}
	return "data:" + kind + ";base64," + m.Data
}
