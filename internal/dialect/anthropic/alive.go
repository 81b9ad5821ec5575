package anthropic

import "github.com/sluicegate/sluice/internal/dialect"

var _ dialect.KeepAliver = Surface{}

// KeepAlive implements [dialect.KeepAliver] with the protocol's own ping.
func (Surface) KeepAlive() []byte { return []byte("event: ping\ndata: {\"type\": \"ping\"}\n\n") }
