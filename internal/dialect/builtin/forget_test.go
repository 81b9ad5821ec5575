package builtin_test

import (
	"reflect"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
)

// An answer lasts for minutes: what its request was decoded into must not stay in
// memory as long. An attempt that fails all the same needs it again.
func TestAnswersLetGoOfTheRequest(t *testing.T) {
	registry := builtin.Registry(nil)
	for _, c := range []struct{ surface, path, body, target string }{
		{"openai", "/v1/chat/completions", chatBody, "anthropic"},
		{"anthropic", "/v1/messages", askBody, "openai"},
		{"gemini", "/v1beta/models/m:streamGenerateContent", partsBody, "anthropic"},
	} {
		surface, _ := registry.Surface(c.surface)
		op, err := surface.Operation("POST", c.path)
		if err != nil {
			t.Fatal(err)
		}
		head := &sluice.Head{Method: "POST", Path: c.path}
		head.Fields.Add("Content-Type", "application/json")
		ask, err := surface.Ask(op, head, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		target, _ := registry.Dialect(c.target)
		leg, err := target.Open(ask, dialect.Account{Provider: &sluice.Provider{Type: c.target}, Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		before, err := ask.Front.Chat()
		if err != nil {
			t.Fatal(err)
		}
		answer, client := sluice.RespHead{Status: 200, ContentLength: -1}, sluice.RespHead{}
		answer.Fields.Add("Content-Type", "text/event-stream")
		if err := leg.Begin(&answer, &client); err != nil {
			t.Fatal(err)
		}
		after, err := ask.Front.Chat()
		if err != nil || after == before || !reflect.DeepEqual(after, before) {
			t.Errorf("%s: %v, kept is %v", c.surface, err, after == before)
		}
	}
}
