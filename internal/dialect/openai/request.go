package openai

import (
	"bytes"
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
	p := l.plan
	call.Scheme, call.Addr, call.ServerName = p.root.Scheme, p.addr, p.serverName
	call.Method, call.Host = "POST", p.root.Host
	call.Target = p.target(l.asked.ask.Operation.Path, &l.account)
	call.Stream, call.Replayable = nil, true
	l.fields(&call.Fields)
	return l.appendBody(&call.Body)
}

// fields replaces the fields of the call.
func (l *leg) fields(f *sluice.Fields) {
	f.Reset()
	f.Add("Content-Type", l.asked.ask.ContentType)
	f.Add("Accept", l.accept())
	for _, own := range l.plan.fields {
		f.Add(own.Name, own.Value)
	}
	for _, name := range passedFields {
		if value, ok := l.asked.ask.Head.Fields.Lookup(name); ok {
			f.Add(name, value)
		}
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

// appendBody replaces to by the client's body with the provider's model name and
// what streams need, in pieces that alias it.
func (l *leg) appendBody(to *[][]byte) error {
	a := l.asked
	var list [2]edit
	edits := list[:0]
	if l.account.Model != a.ask.Model {
		text, err := l.modelText()
		if err != nil {
			return err
		}
		edits = append(edits, edit{a.model, text})
	}
	switch {
	case l.wantsInjection():
		edits = append(edits, l.injection())
	case l.plan.flavor.quirks.silent && !l.plan.states && a.options.Kind != jsonscan.None:
		edits = append(edits, edit{a.memberSpan(a.options), nil})
	}
	if len(edits) == 2 && edits[1].span.start < edits[0].span.start {
		edits[0], edits[1] = edits[1], edits[0]
	}
	*to = splice((*to)[:0], a.ask.Body, edits)
	return nil
}

// modelText is the provider's name of the model as the body has it.
func (l *leg) modelText() ([]byte, error) {
	if !l.asked.form {
		return l.plan.model(l.account.Model), nil
	}
	if strings.ContainsFunc(l.account.Model, isControl) {
		return nil, sluice.Errorf(sluice.CodeInternal, "the provider's name of the model holds a control character")
	}
	return []byte(l.account.Model), nil
}

// quote writes s as a JSON string.
func quote(s string) []byte { return jsonscan.AppendText(nil, s) }

// splice appends doc with the edits, which are in order and do not overlap.
func splice(pieces [][]byte, doc []byte, edits []edit) [][]byte {
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
	return l.plan.states
}

// memberSpan is where the member with this value stands in a body of several
// members, with the comma that parts it from another one.
func (a *asked) memberSpan(v jsonscan.Value) span {
	body, space := a.ask.Body, " \t\r\n"
	colon := bytes.LastIndexByte(body[:v.Start], ':')
	name := bytes.TrimRight(body[:colon], space)
	s := span{bytes.LastIndexByte(name[:len(name)-1], '"'), v.End}
	if rest := bytes.TrimLeft(body[v.End:], space); rest[0] == ',' {
		s.end = len(body) - len(rest) + 1
		return s
	}
	before := bytes.TrimRight(body[:s.start], space)
	s.start = len(before) - 1
	return s
}

// What injections write. They are never written to.
var (
	injectedTrue    = []byte("true")
	injectedObject  = []byte(`{"include_usage":true}`)
	injectedOptions = []byte(`"stream_options":{"include_usage":true},`)
	injectedOnly    = []byte(`"include_usage":true`)
	injectedFirst   = []byte(`"include_usage":true,`)
)

// injection is the smallest edit that sets stream_options.include_usage and
// keeps every other member as it is.
func (l *leg) injection() edit {
	a := l.asked
	switch {
	case a.include.Kind != jsonscan.None:
		return edit{span{a.include.Start, a.include.End}, injectedTrue}
	case a.options.Kind == jsonscan.Null:
		return edit{span{a.options.Start, a.options.End}, injectedObject}
	case a.options.Kind == jsonscan.None:
		// There is always a member behind it: the model.
		return edit{span{a.inside, a.inside}, injectedOptions}
	}
	at := a.options.Start + 1
	if m := a.options.Members(a.ask.Body); m.Next() {
		return edit{span{at, at}, injectedFirst}
	}
	return edit{span{at, at}, injectedOnly}
}
