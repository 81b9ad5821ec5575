//go:build !race

package jsonscan_test

import (
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// An allocation for each member would show in every request's cost.
func TestWalkAllocatesNothing(t *testing.T) {
	doc := []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}],"stream":true,"max_tokens":100,"stream_options":{"include_usage":true}}`)
	var stream bool
	var limit int64
	allocs := testing.AllocsPerRun(100, func() {
		m := jsonscan.Document(doc)
		for m.Next() {
			switch string(m.Key()) {
			case "stream":
				stream = m.Value().Kind == jsonscan.True
			case "max_tokens":
				limit, _ = jsonscan.Int(doc, m.Value())
			case "messages":
				for e := m.Value().Elements(doc); e.Next(); {
					jsonscan.Is(doc, jsonscan.Find(doc, e.Value(), "role"), "user")
				}
			}
		}
		if m.Err() != nil || !stream || limit != 100 {
			t.Fatal("the document was misread")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}
