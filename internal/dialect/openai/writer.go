package openai

import (
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// completionID is the id of an answer, in the shape of this protocol.
func completionID(info *form.Info) string {
	return "chatcmpl-" + strings.ReplaceAll(info.RequestID, "-", "")
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

// writtenUsage is the usage object of this protocol: sums, and details that are
// parts of them.
type writtenUsage struct {
	Prompt     int64         `json:"prompt_tokens"`
	Completion int64         `json:"completion_tokens"`
	Total      int64         `json:"total_tokens"`
	Input      inputDetails  `json:"prompt_tokens_details"`
	Output     outputDetails `json:"completion_tokens_details"`
}

type inputDetails struct {
	Cached  int64 `json:"cached_tokens"`
	Audio   int64 `json:"audio_tokens"`
	Written int64 `json:"cache_write_tokens,omitempty"`
}

type outputDetails struct {
	Reasoning int64 `json:"reasoning_tokens"`
	Audio     int64 `json:"audio_tokens"`
	Accepted  int64 `json:"accepted_prediction_tokens"`
	Rejected  int64 `json:"rejected_prediction_tokens"`
	Image     int64 `json:"image_tokens,omitempty"`
}

// renderUsage adds disjoint classes up to the sums of this protocol.
func renderUsage(u sluice.Usage) writtenUsage {
	written := u.CacheWrite5m + u.CacheWrite1h
	w := writtenUsage{
		Prompt:     u.Input + u.CachedInput + written + u.AudioInput,
		Completion: u.Output + u.Reasoning + u.AudioOutput + u.Image,
		Input:      inputDetails{Cached: u.CachedInput, Audio: u.AudioInput, Written: written},
		Output:     outputDetails{Reasoning: u.Reasoning, Audio: u.AudioOutput, Image: u.Image},
	}
	w.Total = w.Prompt + w.Completion
	return w
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
