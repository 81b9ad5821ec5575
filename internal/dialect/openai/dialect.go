package openai

import (
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// flavor is one dialect of the family: they differ in where things are and in
// how the credential is shown, not in what bodies say.
type flavor struct {
	name string
	// base is the root that applies when a provider has none; "" requires one.
	base string
	// azure selects the api-key field and the deployment paths.
	azure bool
	// quirks are what translated requests have to respect.
	quirks quirks
}

var _ dialect.Dialect = flavor{}

// Dialects returns the dialects of this package:
//
//   - openai: base_url defaults to https://api.openai.com/v1.
//   - openai-compatible: base_url is the root that paths such as
//     /chat/completions are appended to; one without a path means /v1.
//   - azure-openai: base_url is the resource, https://NAME.openai.azure.com;
//     with api_version its deployment paths are used, without its v1 paths.
//   - the presets, which are openai-compatible with a base URL of their own and
//     with what their providers make of the protocol.
//
// All of them read the settings organization and project (sent as
// OpenAI-Organization and OpenAI-Project), stream_usage (false for a target
// that refuses stream_options), responses (whether the target has the Responses
// API; true for openai and azure-openai unless stated) and api (chat or
// responses: by which of them conversations of other protocols are sent).
func Dialects() []dialect.Dialect {
	list := make([]dialect.Dialect, len(presets))
	for i := range presets {
		list[i] = presets[i]
	}
	return list
}

// Name implements [dialect.Dialect].
func (f flavor) Name() string { return f.name }

// Check implements [dialect.Dialect].
func (f flavor) Check(p *sluice.Provider) error {
	if p.BaseURL == "" && f.base == "" {
		return sluice.Errorf(sluice.CodeInvalidRequest, "base_url is required for type %s", f.name).At("/base_url")
	}
	for _, e := range endpoints {
		if strings.HasSuffix(strings.TrimRight(p.BaseURL, "/"), e.path) {
			return sluice.Errorf(sluice.CodeInvalidRequest, "base_url must be the root, without %s", e.path).At("/base_url")
		}
	}
	if _, err := f.root(p); err != nil {
		return err
	}
	if p.APIVersion != "" && !f.azure {
		return sluice.Errorf(sluice.CodeInvalidRequest, "api_version is for type azure-openai").At("/api_version")
	}
	if strings.ContainsFunc(p.APIKey, isControl) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "api_key holds a control character").At("/api_key")
	}
	return checkSettings(p.Settings)
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7F }

// checkSettings accepts the settings that [Dialects] names.
func checkSettings(settings map[string]any) error {
	for name, value := range settings {
		var ok bool
		switch name {
		case "organization", "project":
			var s string
			s, ok = value.(string)
			ok = ok && !strings.ContainsFunc(s, isControl)
		case "stream_usage", "responses":
			_, ok = value.(bool)
		case "api":
			ok = value == "chat" || value == "responses"
		default:
			return sluice.Errorf(sluice.CodeInvalidRequest, "unknown setting; organization, project, stream_usage, responses and api are known").At("/settings/" + name)
		}
		if !ok {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the setting has the wrong type").At("/settings/" + name)
		}
	}
	return nil
}

// root is the URL that operation paths are appended to, without a slash at its
// end.
func (f flavor) root(p *sluice.Provider) (*url.URL, error) {
	raw := p.BaseURL
	if raw == "" {
		raw = f.base
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "base_url is not a URL").At("/base_url")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	switch {
	case f.azure:
		// Whatever of the fixed part was given, the resource is what counts.
		path = strings.TrimSuffix(strings.TrimSuffix(path, "/v1"), "/openai")
	case path == "":
		path = "/v1"
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, RawPath: path, Path: path}, nil
}

// below is the path of an operation below the root, with its query.
func (f flavor) below(path, apiVersion, model string) string {
	switch {
	case !f.azure:
		return path
	case apiVersion == "":
		return "/openai/v1" + path
	default:
		return "/openai/deployments/" + url.PathEscape(model) + path + "?api-version=" + url.QueryEscape(apiVersion)
	}
}

// Open implements [dialect.Dialect]: what asks in this protocol passes as it
// stands, in a leg that lies in the ask's memory, so that it ends the one that
// was opened before; every other ask is translated.
func (f flavor) Open(ask *dialect.Ask, account dialect.Account) (dialect.Leg, error) {
	prepared, ok := account.Plan.(*plan)
	if !ok {
		var err error
		if prepared, err = f.prepare(&account); err != nil {
			return nil, err
		}
	}
	a, ok := ask.Detail.(*asked)
	own := ok && a.endpoint != nil && !f.moved(ask)
	stateless := ok && a.endpoint != nil && a.endpoint.responses && prepared.responses.passes(a.endpoint)
	switch {
	case own && prepared.responses.passes(a.endpoint):
		return prepared.responses.pass(a, account), nil
	case stateless, prepared.responses.takes(ask.Operation):
		return convert.Open(ask, account, &prepared.responses)
	case !own, a.endpoint.responses:
		return convert.Open(ask, account, prepared)
	}
	return a.begin(prepared, account), nil
}

// moved reports whether a conversation holds thoughts of other providers: signed
// elsewhere, or in members that the vendor itself does not know.
func (f flavor) moved(ask *dialect.Ask) bool {
	if ask.Operation.Name != dialect.OpChat || ask.Front == nil {
		return false
	}
	holds := func(text string) bool { return form.Holds(ask.Body, text, '_') }
	vendor := f.azure || f.name == "openai"
	return form.Moved(ask.Body) || vendor && (holds(`"reasoning_content"`) || holds(`"reasoning_details"`) || holds(`"thought_signature"`))
}

// secretBase is the part of the base URL that no answer may show: the resource
// of azure, the whole URL elsewhere, nothing when it is the vendor's public one.
func (f flavor) secretBase(root *url.URL) string {
	switch base := root.Host + root.Path; {
	case f.azure:
		return root.Host
	case strings.HasSuffix(f.base, "://"+base):
		return ""
	default:
		return base
	}
}
