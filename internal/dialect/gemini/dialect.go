package gemini

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/native"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// base is the vendor's own public URL.
const base = "https://generativelanguage.googleapis.com/v1beta"

// Dialect is the Gemini API as targets speak it. base_url defaults to
// https://generativelanguage.googleapis.com/v1beta; one without a path means
// /v1beta. The setting json_schema is false for a target that knows schemas of
// Google's own dialect only. The zero value is ready.
type Dialect struct{}

var (
	_ dialect.Dialect  = Dialect{}
	_ dialect.Preparer = Dialect{}
)

// Name returns [Name].
func (Dialect) Name() string { return Name }

// Check implements [dialect.Dialect].
func (Dialect) Check(p *sluice.Provider) error {
	if _, err := root(p); err != nil {
		return err
	}
	if strings.Contains(p.BaseURL, "/models") {
		return sluice.Errorf(sluice.CodeInvalidRequest, "base_url must be the root, without /models").At("/base_url")
	}
	if p.APIVersion != "" {
		return sluice.Errorf(sluice.CodeInvalidRequest, "api_version is for type azure-openai").At("/api_version")
	}
	if strings.ContainsFunc(p.APIKey, isControl) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "api_key holds a control character").At("/api_key")
	}
	for name, value := range p.Settings {
		if name != "json_schema" {
			return sluice.Errorf(sluice.CodeInvalidRequest, "unknown setting; json_schema is known").At("/settings/" + name)
		}
		if _, ok := value.(bool); !ok {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the setting has the wrong type").At("/settings/" + name)
		}
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7F }

// root is the URL that paths are appended to, without a slash at its end.
func root(p *sluice.Provider) (*url.URL, error) {
	raw := p.BaseURL
	if raw == "" {
		raw = base
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "base_url is not a URL").At("/base_url")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if path == "" {
		path = "/v1beta"
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, RawPath: path, Path: path}, nil
}

// Prepare implements [dialect.Preparer].
func (Dialect) Prepare(account dialect.Account) (any, error) { return newPlan(&account) }

// Open implements [dialect.Dialect].
func (Dialect) Open(ask *dialect.Ask, account dialect.Account) (dialect.Leg, error) {
	p, ok := account.Plan.(*plan)
	if !ok {
		var err error
		if p, err = newPlan(&account); err != nil {
			return nil, err
		}
	}
	if r, ok := ask.Detail.(*reading); ok && !moved(ask) {
		leg := native.Open(ask, p, r.request(account.Model), answers{ask.Operation.Name})
		if r.array {
			return &arrayLeg{leg, r}, nil
		}
		return leg, nil
	}
	return convert.Open(ask, account, p)
}

// plan is what does not change from one request of an account to the next.
type plan struct {
	root             *url.URL
	addr, serverName string
	scrub            peer.Scrubber
	fields           []sluice.Field
	// lower tells that the target takes no JSON Schema.
	lower bool
}

var _ convert.Peer = (*plan)(nil)

func newPlan(account *dialect.Account) (*plan, error) {
	u, err := root(account.Provider)
	if err != nil {
		return nil, err
	}
	secret := u.Host + u.Path
	if strings.HasSuffix(base, "://"+secret) {
		secret = ""
	}
	p := &plan{root: u, addr: peer.Address(u), serverName: u.Hostname(), scrub: peer.NewScrubber(account.APIKey, u.Host, secret)}
	// Usage is read from the passing bytes, so they must not be compressed.
	p.fields = []sluice.Field{{Name: "Accept-Encoding", Value: "identity"}, {Name: "User-Agent", Value: "sluice"}}
	if account.APIKey != "" {
		p.fields = append(p.fields, sluice.Field{Name: "X-Goog-Api-Key", Value: account.APIKey})
	}
	enabled, set := account.Provider.Settings["json_schema"].(bool)
	p.lower = set && !enabled
	return p, nil
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

// moved reports whether a conversation holds what other providers made: thoughts
// that they signed, or calls that nobody did.
func moved(ask *dialect.Ask) bool {
	if ask.Operation.Name != dialect.OpChat {
		return false
	}
	calls := bytes.Contains(ask.Body, []byte(`"functionCall"`)) || bytes.Contains(ask.Body, []byte(`"function_call"`))
	signed := bytes.Contains(ask.Body, []byte(`"thoughtSignature"`)) || bytes.Contains(ask.Body, []byte(`"thought_signature"`))
	return form.Moved(ask.Body) || calls && !signed
}
