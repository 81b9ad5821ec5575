package anthropic

import (
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// plan is an account of the dialect: what does not change from one request to
// the next. Its methods as a [form.Back] are in back.go.
type plan struct {
	root             *url.URL
	addr, serverName string
	scrub            peer.Scrubber
	// vendor tells that the target is Anthropic itself.
	vendor bool
	// fields are those that every call has, credential included.
	fields []sluice.Field
}

var (
	_ convert.Peer = (*plan)(nil)
	_ form.Counter = (*plan)(nil)
)

func prepare(account *dialect.Account) (*plan, error) {
	u, err := root(account.Provider)
	if err != nil {
		return nil, err
	}
	p := &plan{root: u, addr: peer.Address(u), serverName: u.Hostname()}
	base := u.Host + u.Path
	if strings.HasSuffix(defaultBase, "://"+base) {
		p.vendor = true
		base = "" // an answer may well mention the vendor
	}
	p.scrub = peer.NewScrubber(account.APIKey, u.Host, base)
	p.addFields(account)
	return p, nil
}

// addFields lists the fields that say who calls.
func (p *plan) addFields(account *dialect.Account) {
	add := func(name, value string) { p.fields = append(p.fields, sluice.Field{Name: name, Value: value}) }
	// Usage is read from the passing bytes, so they must not be compressed.
	add("Accept-Encoding", "identity")
	add("User-Agent", "sluice")
	version, _ := account.Provider.Settings["anthropic_version"].(string)
	if version == "" {
		version = defaultVersion
	}
	add("anthropic-version", version)
	switch key := account.APIKey; {
	case key == "":
	case account.Provider.Settings["auth"] == "bearer":
		add("Authorization", "Bearer "+key)
	default:
		add("x-api-key", key)
	}
}

// Address implements [peer.Account].
func (p *plan) Address(call *sluice.Call, path string) {
	call.Scheme, call.Addr, call.ServerName = p.root.Scheme, p.addr, p.serverName
	call.Host, call.Target = p.root.Host, p.root.Path+path
	for _, f := range p.fields {
		call.Fields.Add(f.Name, f.Value)
	}
}

// Scrubber implements [peer.Account].
func (p *plan) Scrubber() *peer.Scrubber { return &p.scrub }

// maxBetas is the longest list of betas that is passed on.
const maxBetas = 1024

// passedFields are the only request fields of a client that a target sees: the
// version of the API that the client speaks and the betas that it uses. What is
// too long or no list of plain words is left out.
func passedFields(h *sluice.Head) []sluice.Field {
	var fields []sluice.Field
	if version := h.Fields.Get("anthropic-version"); plainToken(version, 32) {
		fields = append(fields, sluice.Field{Name: "anthropic-version", Value: version})
	}
	var betas []string
	for i := range h.Fields.Len() {
		if f := h.Fields.At(i); strings.EqualFold(f.Name, "anthropic-beta") && plainToken(f.Value, maxBetas) {
			betas = append(betas, f.Value)
		}
	}
	if list := strings.Join(betas, ","); list != "" && len(list) <= maxBetas {
		fields = append(fields, sluice.Field{Name: "anthropic-beta", Value: list})
	}
	return fields
}

// plainToken reports whether s is a word of at most that many bytes, or a list
// of them.
func plainToken(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_., ", c) >= 0) {
			return false
		}
	}
	return true
}
