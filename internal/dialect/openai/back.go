package openai

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// The paths of translated requests.
const (
	chatPath  = "/chat/completions"
	embedPath = "/embeddings"
)

var (
	_ convert.Peer  = (*plan)(nil)
	_ form.Embedder = (*plan)(nil)
)

// Scrubber implements [peer.Account].
func (p *plan) Scrubber() *peer.Scrubber { return &p.scrub }

// Address implements [peer.Account].
func (p *plan) Address(call *sluice.Call, path string) {
	call.Scheme, call.Addr, call.ServerName = p.root.Scheme, p.addr, p.serverName
	call.Host, call.Target = p.root.Host, p.root.Path+path
	for _, f := range p.fields {
		call.Fields.Set(f.Name, f.Value)
	}
}

// EncodeChat implements [form.Back].
func (p *plan) EncodeChat(c *form.Chat, t *form.Target) (form.Encoded, error) {
	e := chatEncoder{plan: p, quirks: &p.flavor.quirks, chat: c, target: t}
	body, err := e.encode()
	return form.Encoded{Path: p.flavor.below(chatPath, p.apiVersion, t.Model), Body: body}, err
}

// Decoder implements [form.Back].
func (p *plan) Decoder(e *form.Emitter, t *form.Target) form.Decoder {
	return &decoder{emitter: e, target: t}
}
