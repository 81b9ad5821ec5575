package anthropic

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/native"
)

// defaultBase is the vendor's own address, defaultVersion the version of the API
// that this package was written for.
const (
	defaultBase    = "https://api.anthropic.com"
	defaultVersion = "2023-06-01"
)

// Dialect is the protocol of targets that speak the Messages API: the vendor
// itself, and others that offer it. base_url is what /v1/messages is appended to
// and defaults to https://api.anthropic.com. The settings are:
//
//   - auth: x-api-key (the default) or bearer, which shows the credential as
//     Authorization: Bearer;
//   - anthropic_version: the value of that field where the client sends none,
//     2023-06-01 by default.
//
// The zero value is ready.
type Dialect struct{}

var (
	_ dialect.Dialect  = Dialect{}
	_ dialect.Preparer = Dialect{}
)

// Name implements [dialect.Dialect].
func (Dialect) Name() string { return Name }

// Check implements [dialect.Dialect].
func (Dialect) Check(p *sluice.Provider) error {
	if strings.HasSuffix(strings.TrimRight(p.BaseURL, "/"), "/messages") {
		return sluice.Errorf(sluice.CodeInvalidRequest, "base_url must be the root, without /messages").At("/base_url")
	}
	if _, err := root(p); err != nil {
		return err
	}
	if p.APIVersion != "" {
		return sluice.Errorf(sluice.CodeInvalidRequest, "api_version is for type azure-openai; here it is the setting anthropic_version").At("/api_version")
	}
	if strings.ContainsFunc(p.APIKey, isControl) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "api_key holds a control character").At("/api_key")
	}
	return checkSettings(p.Settings)
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7F }

// checkSettings accepts the settings that [Dialect] names.
func checkSettings(settings map[string]any) error {
	for name, value := range settings {
		text, _ := value.(string)
		switch name {
		case "auth":
			if text != "x-api-key" && text != "bearer" {
				return sluice.Errorf(sluice.CodeInvalidRequest, "auth must be x-api-key or bearer").At("/settings/auth")
			}
		case "anthropic_version":
			if !plainToken(text, 32) {
				return sluice.Errorf(sluice.CodeInvalidRequest, "anthropic_version must be a version such as %s", defaultVersion).At("/settings/anthropic_version")
			}
		default:
			return sluice.Errorf(sluice.CodeInvalidRequest, "unknown setting; auth and anthropic_version are known").At("/settings/" + pointer(name))
		}
	}
	return nil
}

// root is the URL that paths from /v1 on are appended to, without a slash at
// its end.
func root(p *sluice.Provider) (*url.URL, error) {
	raw := p.BaseURL
	if raw == "" {
		raw = defaultBase
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "base_url is not a URL").At("/base_url")
	}
	path := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/v1")
	return &url.URL{Scheme: u.Scheme, Host: u.Host, RawPath: path, Path: path}, nil
}

// Prepare implements [dialect.Preparer].
func (Dialect) Prepare(account dialect.Account) (any, error) { return prepare(&account) }

// Open implements [dialect.Dialect]. Asks of this protocol's own surface pass,
// all others are translated.
func (Dialect) Open(ask *dialect.Ask, account dialect.Account) (dialect.Leg, error) {
	p, ok := account.Plan.(*plan)
	if !ok {
		var err error
		if p, err = prepare(&account); err != nil {
			return nil, err
		}
	}
	own, ok := ask.Detail.(*asked)
	if !ok || p.moved(ask) {
		return convert.Open(ask, account, p)
	}
	request := native.Request{Path: ask.Operation.Path, Body: own.bodyFor(account.Model, p.vendor), Fields: passedFields(ask.Head)}
	return native.Open(ask, p, request, protocol{counting: ask.Operation.Name == dialect.OpCount}), nil
}

// moved reports whether a conversation with thinking on holds calls that another
// provider's thoughts stand before, or nobody's: Anthropic wants its own there.
// Without calls it is enough to leave the thoughts out.
func (p *plan) moved(ask *dialect.Ask) bool {
	holds := func(text string) bool { return bytes.Contains(ask.Body, []byte(text)) }
	if ask.Operation.Name != dialect.OpChat || !ask.NeedsReasoning || !holds(`"tool_use"`) {
		return false
	}
	unsigned := holds(`"signature":""`) || holds(`"signature": ""`)
	thoughtless := holds(`"enabled"`) && !holds(`"signature"`) && !holds(`"redacted_thinking"`)
	return form.Moved(ask.Body) || thoughtless || p.vendor && unsigned
}
