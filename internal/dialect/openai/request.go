package openai

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// passedFields are the only request fields of a client that a target sees.
// Credentials, cookies, forwarding fields, the client's own organisation and
// idempotency keys (which tenants of one account could share) are not among
// them.
var passedFields = []string{"OpenAI-Beta"}

// Request implements [dialect.Leg].
func (l *leg) Request(call *sluice.Call) error {
	body, err := l.body()
	if err != nil {
		return err
	}
	call.Scheme, call.Addr, call.ServerName = l.root.Scheme, address(l.root), l.root.Hostname()
	call.Method, call.Host = "POST", l.root.Host
	call.Target = l.flavor.target(l.root, l.asked.ask.Operation, &l.account)
	call.Body, call.Stream, call.Replayable = body, nil, true
	l.fields(&call.Fields)
	return nil
}

// address is the host and port to dial.
func address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "http" {
		return u.Host + ":80"
	}
	return u.Host + ":443"
}

// fields replaces the fields of the call.
func (l *leg) fields(f *sluice.Fields) {
	f.Reset()
	f.Add("Content-Type", l.asked.ask.ContentType)
	f.Add("Accept", l.accept())
	// Usage is read from the passing bytes, so they must not be compressed.
	f.Add("Accept-Encoding", "identity")
	f.Add("User-Agent", "sluice")
	for _, name := range passedFields {
		if value, ok := l.asked.ask.Head.Fields.Lookup(name); ok {
			f.Add(name, value)
		}
	}
	for _, s := range [...]struct{ setting, field string }{{"organization", "OpenAI-Organization"}, {"project", "OpenAI-Project"}} {
		if value, _ := l.account.Provider.Settings[s.setting].(string); value != "" {
			f.Add(s.field, value)
		}
	}
	switch key := l.account.APIKey; {
	case key == "":
	case l.flavor.azure:
		f.Add("api-key", key)
	default:
		f.Add("Authorization", "Bearer "+key)
	}
}

func (l *leg) accept() string {
	switch {
	case l.asked.ask.Stream:
		return "text/event-stream"
	case l.asked.endpoint.binary:
		return "*/*"
	}
	return "application/json"
}

// edit replaces a span of the body; an empty span inserts.
type edit struct {
	span span
	text []byte
}

// body is the client's body with the provider's model name and what streams
// need, in pieces that alias it.
func (l *leg) body() ([][]byte, error) {
	a := l.asked
	edits := make([]edit, 0, 2)
	if l.account.Model != a.ask.Model {
		text := []byte(l.account.Model)
		if !a.form {
			text = quote(l.account.Model)
		} else if strings.ContainsFunc(l.account.Model, isControl) {
			return nil, sluice.Errorf(sluice.CodeInternal, "the provider's name of the model holds a control character")
		}
		edits = append(edits, edit{a.model, text})
	}
	if l.wantsInjection() {
		edits = append(edits, l.injection())
	}
	if len(edits) == 2 && edits[1].span.start < edits[0].span.start {
		edits[0], edits[1] = edits[1], edits[0]
	}
	return splice(a.ask.Body, edits), nil
}

// quote writes s as a JSON string.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("openai: encoding a string: " + err.Error())
	}
	return b
}

// splice returns doc with the edits, which are in order and do not overlap.
func splice(doc []byte, edits []edit) [][]byte {
	pieces := make([][]byte, 0, 2*len(edits)+1)
	at := 0
	for _, e := range edits {
		if e.span.start > at {
			pieces = append(pieces, doc[at:e.span.start])
		}
		pieces = append(pieces, e.text)
		at = e.span.end
	}
	if at < len(doc) {
		pieces = append(pieces, doc[at:])
	}
	return pieces
}

// wantsInjection reports whether the target has to be asked for usage that the
// client did not ask for.
func (l *leg) wantsInjection() bool {
	a := l.asked
	if !a.ask.Stream || a.form || a.ask.WantsUsage {
		return false
	}
	if a.endpoint.name != opChat && a.endpoint.name != opCompletions {
		return false
	}
	enabled, set := l.account.Provider.Settings["stream_usage"].(bool)
	return enabled || !set
}

// injection is the smallest edit that sets stream_options.include_usage and
// keeps every other member as it is.
func (l *leg) injection() edit {
	a := l.asked
	switch {
	case a.include.Kind != jsonscan.None:
		return edit{span{a.include.Start, a.include.End}, []byte("true")}
	case a.options.Kind == jsonscan.Null:
		return edit{span{a.options.Start, a.options.End}, []byte(`{"include_usage":true}`)}
	case a.options.Kind == jsonscan.None:
		// There is always a member behind it: the model.
		return edit{span{a.inside, a.inside}, []byte(`"stream_options":{"include_usage":true},`)}
	}
	at := a.options.Start + 1
	text := `"include_usage":true`
	if m := a.options.Members(a.ask.Body); m.Next() {
		text += ","
	}
	return edit{span{at, at}, []byte(text)}
}
