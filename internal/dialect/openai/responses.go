package openai

import (
	"net/url"
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/native"
	"github.com/sluicegate/sluice/internal/dialect/peer"
	"github.com/sluicegate/sluice/internal/dialect/responses"
)

// echoes is how many events before content repeat instructions and tools:
// response.created and response.in_progress, perhaps response.queued.
const echoes = 3

// responsesPeer is an account as the Responses API reaches it.
type responsesPeer struct {
	responses.Back
	plan *plan
	// serves tells that the provider has this API, prefers that conversations of
	// every other protocol go by it, and counts that it counts tokens.
	serves, prefers, counts bool
}

var _ convert.Peer = (*responsesPeer)(nil)

// responsesOf reads the settings responses and api.
func (p *plan) responsesOf(provider *sluice.Provider) responsesPeer {
	r := responsesPeer{plan: p}
	r.serves = p.flavor.azure || p.flavor.name == "openai" || provider.Settings["api"] == "responses"
	if set, ok := provider.Settings["responses"].(bool); ok {
		r.serves = set
	}
	r.prefers = r.serves && provider.Settings["api"] == "responses"
	r.counts = r.serves && p.flavor.name == "openai"
	return r
}

// takes reports whether an ask of another protocol, or of chats, is written for
// this API.
func (r *responsesPeer) takes(op dialect.Operation) bool {
	return r.counts && op.Name == dialect.OpCount || r.prefers && op.Name == dialect.OpChat
}

// passes reports whether an ask of this API is sent as it stands.
func (r *responsesPeer) passes(e *endpoint) bool {
	return e.responses && r.serves && (r.counts || e.name != dialect.OpCount)
}

// Address implements [peer.Account]. Azure's paths name no deployment here, the
// body does.
func (r *responsesPeer) Address(call *sluice.Call, path string) {
	r.plan.Address(call, "")
	if r.plan.flavor.azure {
		if r.plan.apiVersion == "" {
			path = "/openai/v1" + path
		} else {
			path = "/openai" + path + "?api-version=" + url.QueryEscape(r.plan.apiVersion)
		}
	}
	call.Target = r.plan.root.Path + path
}

// Scrubber implements [peer.Account].
func (r *responsesPeer) Scrubber() *peer.Scrubber { return r.plan.Scrubber() }

// pass begins an attempt that sends the client's body, with the provider's name
// of the model, to be stored nowhere.
func (r *responsesPeer) pass(a *asked, account dialect.Account) dialect.Leg {
	var edits []native.Edit
	o := &a.outline
	if account.Model != a.ask.Model {
		edits = append(edits, native.Edit{Start: o.ModelAt.Start, End: o.ModelAt.End, Text: r.plan.model(account.Model)})
	}
	if a.endpoint.name != dialect.OpCount {
		edits = append(edits, o.Unstored()...)
	}
	slices.SortFunc(edits, func(a, b native.Edit) int { return a.Start - b.Start })
	request := native.Request{Path: a.endpoint.path, Body: native.Splice(a.ask.Body, edits...)}
	request.Echo = echoes * len(a.ask.Body)
	for _, name := range passedFields {
		if value, ok := a.ask.Head.Fields.Lookup(name); ok {
			request.Fields = append(request.Fields, sluice.Field{Name: name, Value: value})
		}
	}
	return native.Open(&a.ask, r, request, a.responses.Passing(r.Scrubber()))
}
