package gemini

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

var _ form.Counter = (*plan)(nil)

// DecodeCount implements [form.Counter].
func (*plan) DecodeCount(doc []byte) (int64, error) {
	var r struct {
		TotalTokens *int64 `json:"totalTokens"`
	}
	if err := json.Unmarshal(doc, &r); err != nil || r.TotalTokens == nil || *r.TotalTokens < 0 {
		return 0, peer.Broken("it holds no totalTokens")
	}
	return *r.TotalTokens, nil
}
