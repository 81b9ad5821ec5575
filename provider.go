package sluice

import (
	"fmt"
	"net/url"
	"strconv"
)

// Provider is an upstream LLM account: where it is, what dialect it speaks,
// which credential opens it and which models it serves.
type Provider struct {
	Meta
	// Type is the dialect, for instance openai, anthropic, gemini, deepseek or
	// demo; docs/dialects lists them.
	Type string `json:"type" maxLength:"64"`
	// BaseURL is the root that operation paths are appended to, for instance
	// https://api.openai.com/v1; demo needs none.
	BaseURL string `json:"base_url,omitempty" maxLength:"2048"`
	// APIKey is write-only; it is stored and published sealed ("enc:v1:…").
	APIKey string `json:"api_key,omitempty" writeOnly:"true" maxLength:"8192"`
	// HasAPIKey tells readers that a credential is set.
	HasAPIKey bool `json:"has_api_key,omitempty" readOnly:"true"`
	// Group is the group it serves; empty means [DefaultGroup].
	Group  string `json:"group,omitempty"`
	Status Status `json:"status,omitempty" enum:"active,disabled"`
	// Weight is its share among members of the same priority, 1 to 1000; 0
	// means 1.
	Weight int `json:"weight,omitempty" minimum:"0" maximum:"1000"`
	// Priority is its tier: the lowest number with a usable member is used.
	Priority int `json:"priority,omitempty" minimum:"0" maximum:"100"`
	// Models lists what it serves, by name or with a trailing "*"; empty
	// serves every model.
	Models []string `json:"models,omitempty" maxItems:"1000"`
	// ModelMap translates our model name to the provider's.
	ModelMap map[string]string `json:"model_map,omitempty"`
	// APIVersion is the api-version of azure-openai's deployment paths; empty
	// uses its v1 paths.
	APIVersion string `json:"api_version,omitempty" maxLength:"64"`
	// Timeouts bound each phase of a call.
	Timeouts Timeouts `json:"timeouts,omitzero"`
	// OnClientGone says what happens to a call whose client hangs up: cancel (the
	// default) ends it, because the provider then stops billing; drain reads on,
	// within bounds, up to the usage that the provider bills anyway.
	OnClientGone string `json:"on_client_gone,omitempty" enum:"cancel,drain"`
	// CostMultiplier is what the provider charges the house, as a factor of
	// everyone's price of the model; 0 books no cost of its calls. Only a platform
	// admin changes it.
	CostMultiplier Multiplier `json:"cost_multiplier,omitempty"`
	// Settings are what the dialect alone understands; demo reads seed,
	// delay_ms and tokens.
	Settings map[string]any `json:"settings,omitempty"`
}

// What happens to a call whose client hangs up; see [Provider].
const (
	GoneCancel = "cancel"
	GoneDrain  = "drain"
)

// Kind returns [KindProvider].
func (*Provider) Kind() Kind { return KindProvider }

// Normalize implements [Object].
func (p *Provider) Normalize() {
	p.Group = orDefault(p.Group, DefaultGroup)
	p.Status = orDefault(p.Status, StatusActive)
	p.Weight = orDefault(p.Weight, 1)
	p.HasAPIKey = p.APIKey != ""
	p.OnClientGone = orDefault(p.OnClientGone, GoneCancel)
}

// Validate implements [Object]. Whether Type is a known dialect is checked by
// control, which knows the dialects.
func (p *Provider) Validate() error {
	if err := p.validate(namePattern); err != nil {
		return err
	}
	if p.Type == "" {
		return Errorf(CodeInvalidRequest, "type is required").At("/type")
	}
	if p.Weight < 1 || p.Weight > 1000 {
		return Errorf(CodeInvalidRequest, "weight must be 1 to 1000").At("/weight")
	}
	if p.Priority < 0 || p.Priority > 100 {
		return Errorf(CodeInvalidRequest, "priority must be 0 to 100").At("/priority")
	}
	if p.CostMultiplier < 0 || p.CostMultiplier > MaxMultiplier {
		return Errorf(CodeInvalidRequest, "cost_multiplier must be 0 to %s", MaxMultiplier).At("/cost_multiplier")
	}
	if p.OnClientGone != GoneCancel && p.OnClientGone != GoneDrain {
		return Errorf(CodeInvalidRequest, "on_client_gone must be cancel or drain").At("/on_client_gone")
	}
	if p.BaseURL != "" {
		if err := validBaseURL(p.BaseURL); err != nil {
			return err
		}
	}
	for i, m := range p.Models {
		if len(m) == 0 || len(m) > 128 {
			return Errorf(CodeInvalidRequest, "model %q is not a model name", clip(m)).At(fmt.Sprintf("/models/%d", i))
		}
	}
	if err := p.validModelMap(); err != nil {
		return err
	}
	if err := p.Timeouts.validate("/timeouts"); err != nil {
		return err
	}
	return validStatus(p.Status)
}

// validModelMap checks both sides of the map.
func (p *Provider) validModelMap() error {
	if len(p.ModelMap) > 1000 {
		return Errorf(CodeInvalidRequest, "model_map has at most 1000 entries").At("/model_map")
	}
	for ours, theirs := range p.ModelMap {
		if !modelNamePattern.MatchString(ours) || theirs == "" || len(theirs) > 256 {
			return Errorf(CodeInvalidRequest, "model_map entry %q must map a model name to a text of 1 to 256 bytes", clip(ours)).At("/model_map")
		}
	}
	return nil
}

// Refs implements [Object].
func (p *Provider) Refs() []Ref {
	return []Ref{
		{Field: "/tenant", Kind: KindTenant, Name: p.Tenant},
		{Field: "/group", Kind: KindGroup, Name: p.Group},
	}
}

// Serves reports whether the provider serves the model.
func (p *Provider) Serves(model string) bool { return matchesAny(p.Models, model) }

// UpstreamModel returns the provider's own name of a model.
func (p *Provider) UpstreamModel(model string) string {
	if name, ok := p.ModelMap[model]; ok {
		return name
	}
	return model
}

// validPort accepts a port of a URL, which may be absent.
func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// validBaseURL accepts absolute http(s) URLs without credentials, query or
// fragment: those would leak or be lost.
func validBaseURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !validPort(u.Port()) || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Errorf(CodeInvalidRequest, "base_url must be http(s)://host[:port][/path] without credentials, query or fragment").At("/base_url")
	}
	return nil
}
