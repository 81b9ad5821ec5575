package anthropic

import "github.com/sluicegate/sluice/internal/dialect"

var _ dialect.Identifier = Surface{}

// RequestIDField implements [dialect.Identifier]: Anthropic's SDKs read it.
func (Surface) RequestIDField() string { return "Request-Id" }
