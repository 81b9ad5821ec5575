package openai

import "github.com/sluicegate/sluice/internal/dialect"

var _ dialect.KeepAliver = Surface{}

// KeepAlive implements [dialect.KeepAliver] with a comment, which clients of
// server-sent events pass over.
func (Surface) KeepAlive() []byte { return []byte(": keep-alive\n\n") }
