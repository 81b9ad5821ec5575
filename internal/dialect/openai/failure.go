package openai

import "github.com/sluicegate/sluice"

// Failure implements [dialect.Leg].
func (l *leg) Failure(h *sluice.RespHead, body []byte) *sluice.Error {
	return l.scrubber().Failure(h, body)
}
