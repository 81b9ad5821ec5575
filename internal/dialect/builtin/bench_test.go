package builtin_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
)

// carried is an exchange that is translated: a short chat, answered whole.
type carried struct {
	surface dialect.Surface
	target  dialect.Dialect
	account dialect.Account
	op      dialect.Operation
	head    sluice.Head
	body    []byte
	fields  sluice.Fields // of the answer
	answer  []byte
	call    sluice.Call
	client  sluice.RespHead
}

func newCarried(b testing.TB) *carried {
	registry := builtin.Registry(nil)
	c := &carried{
		body: []byte(`{"model":"claude","stream":false,"messages":[{"role":"user","content":"` + strings.Repeat("please ", 72) + `"}]}`),
		answer: []byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"` + strings.Repeat("answer ", 80) +
			`"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":80,"output_tokens":90}}`),
	}
	c.surface, _ = registry.Surface("openai")
	c.target, _ = registry.Dialect("anthropic")
	var err error
	if c.op, err = c.surface.Operation("POST", "/v1/chat/completions"); err != nil {
		b.Fatal(err)
	}
	c.head.Fields.Add("Content-Type", "application/json")
	c.fields.Add("Content-Type", "application/json")
	c.account = dialect.Account{
		Provider: &sluice.Provider{Type: "anthropic", BaseURL: "http://127.0.0.1:9"}, APIKey: "sk-a-long-credential",
		Model: "claude", Entry: new(sluice.Model),
	}
	if c.account.Plan, err = c.target.(dialect.Preparer).Prepare(c.account); err != nil {
		b.Fatal(err)
	}
	return c
}

// open reads the request and writes the call.
func (c *carried) open(b testing.TB) (*dialect.Ask, dialect.Leg) {
	ask, err := c.surface.Ask(c.op, &c.head, c.body)
	if err != nil {
		b.Fatal(err)
	}
	ask.RequestID = "0199c0de-0000-7000-8000-000000000000"
	leg, err := c.target.Open(ask, c.account)
	if err != nil {
		b.Fatal(err)
	}
	if err := leg.Request(&c.call); err != nil {
		b.Fatal(err)
	}
	return ask, leg
}

// finish reads the answer and writes that of the client.
func (c *carried) finish(b testing.TB, leg dialect.Leg) []byte {
	head := sluice.RespHead{Status: 200, ContentLength: int64(len(c.answer)), Fields: c.fields}
	if err := leg.Begin(&head, &c.client); err != nil {
		b.Fatal(err)
	}
	if _, err := leg.Feed(c.answer); err != nil {
		b.Fatal(err)
	}
	out, err := leg.Finish()
	if err != nil {
		b.Fatal(err)
	}
	if u, _ := leg.Usage(); u.Output != 90 {
		b.Fatalf("usage is %+v", u)
	}
	return out
}

// release gives the memory back as the gateway does.
func (c *carried) release(ask *dialect.Ask, leg dialect.Leg) {
	leg.(dialect.Releaser).Release()
	c.call.Reset()
	ask.Release()
}

// What a short chat costs on its way to a provider of another protocol, and with
// its answer on the way back.
func BenchmarkCarried(b *testing.B) {
	c := newCarried(b)
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.release(c.open(b))
		}
	})
	b.Run("image", func(b *testing.B) {
		c := newCarried(b)
		c.body = []byte(`{"model":"claude","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},` +
			`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("iVBORw0K", 1<<17) + `"}}]}]}`)
		b.ReportAllocs()
		for b.Loop() {
			c.release(c.open(b))
		}
	})
	b.Run("exchange", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ask, leg := c.open(b)
			c.finish(b, leg)
			c.release(ask, leg)
		}
	})
}
