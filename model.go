package sluice

import (
	"fmt"
	"regexp"
	"slices"
)

// Model describes what clients may ask for by name: its size, its abilities
// and its price. A group serves a model when one of its providers does.
type Model struct {
	Meta
	// Aliases are other names that clients may use for it.
	Aliases []string `json:"aliases,omitempty" maxItems:"100"`
	// Patterns are regular expressions (RE2) of whole names that mean it too,
	// for instance "gpt-4o-\\d{4}-\\d{2}-\\d{2}".
	Patterns []string `json:"patterns,omitempty" maxItems:"20"`
	// ContextWindow is the most tokens of input and output together; 0 is
	// unknown and enforces nothing.
	ContextWindow int64 `json:"context_window,omitempty" minimum:"0"`
	// MaxOutputTokens caps one answer; 0 is unknown.
	MaxOutputTokens int64 `json:"max_output_tokens,omitempty" minimum:"0"`
	// CostPerToken is the price per token, blended, an exact JSON number; the
	// price book supersedes it once it exists.
	CostPerToken Rate `json:"cost_per_token"`
	// What the model can do. They are pointers because "not stated" enforces
	// nothing, whereas false refuses a request that needs it (feature E7).
	SupportsVision     *bool `json:"supports_vision,omitempty"`
	SupportsFunctions  *bool `json:"supports_functions,omitempty"`
	SupportsToolChoice *bool `json:"supports_tool_choice,omitempty"`
	SupportsFIM        *bool `json:"supports_fim,omitempty"`
	// ParamPolicy says what becomes of a parameter that the provider's protocol
	// has no equivalent for: lenient (the default) drops it and names it in
	// X-Sluice-Dropped-Params, strict refuses the request.
	ParamPolicy ParamPolicy `json:"param_policy,omitempty" enum:"lenient,strict"`
	// Operations lists what it is for: chat, completions, embeddings, images,
	// audio, moderations, rerank; empty means any.
	Operations []string `json:"operations,omitempty" maxItems:"16"`
	Status     Status   `json:"status,omitempty" enum:"active,disabled"`
}

// ParamPolicy says what becomes of parameters that a provider has no equivalent
// for.
type ParamPolicy string

// The policies.
const (
	ParamsLenient ParamPolicy = "lenient" // dropped, and named to the client
	ParamsStrict  ParamPolicy = "strict"  // refused before it costs anything
)

// modelOperations are the values of Model.Operations.
var modelOperations = []string{"chat", "completions", "embeddings", "images", "audio", "moderations", "rerank"}

// Kind returns [KindModel].
func (*Model) Kind() Kind { return KindModel }

// Normalize implements [Object].
func (m *Model) Normalize() {
	m.Status = orDefault(m.Status, StatusActive)
	m.ParamPolicy = orDefault(m.ParamPolicy, ParamsLenient)
}

// Validate implements [Object].
func (m *Model) Validate() error {
	if err := m.validate(modelNamePattern); err != nil {
		return err
	}
	if err := m.validNames(); err != nil {
		return err
	}
	if m.ContextWindow < 0 {
		return Errorf(CodeInvalidRequest, "context_window must not be negative").At("/context_window")
	}
	if m.MaxOutputTokens < 0 {
		return Errorf(CodeInvalidRequest, "max_output_tokens must not be negative").At("/max_output_tokens")
	}
	if m.CostPerToken < 0 {
		return Errorf(CodeInvalidRequest, "cost_per_token must not be negative").At("/cost_per_token")
	}
	if m.ParamPolicy != "" && m.ParamPolicy != ParamsLenient && m.ParamPolicy != ParamsStrict {
		return Errorf(CodeInvalidRequest, "param_policy must be lenient or strict").At("/param_policy")
	}
	for i, op := range m.Operations {
		if !slices.Contains(modelOperations, op) {
			return Errorf(CodeInvalidRequest, "operation %q must be one of %v", clip(op), modelOperations).At(fmt.Sprintf("/operations/%d", i))
		}
	}
	return validStatus(m.Status)
}

// validNames checks what else it is called.
func (m *Model) validNames() error {
	if len(m.Aliases) > 100 || len(m.Patterns) > 20 {
		return Errorf(CodeInvalidRequest, "a model has at most 100 aliases and 20 patterns").At("/aliases")
	}
	for i, alias := range m.Aliases {
		if !modelNamePattern.MatchString(alias) {
			return Errorf(CodeInvalidRequest, "alias %q is not a model name", clip(alias)).At(fmt.Sprintf("/aliases/%d", i))
		}
	}
	for i, p := range m.Patterns {
		if _, err := ModelPattern(p); err != nil {
			return AsError(err).At(fmt.Sprintf("/patterns/%d", i))
		}
	}
	return nil
}

// ModelPattern compiles one of Model.Patterns, which matches whole names. What
// is no regular expression, or longer than 256 bytes, is [CodeInvalidRequest].
func ModelPattern(p string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("^(?:" + p + ")$")
	if err != nil || len(p) == 0 || len(p) > 256 {
		return nil, Errorf(CodeInvalidRequest, "pattern %q is not a regular expression of 1 to 256 bytes", clip(p))
	}
	return re, nil
}

// Refs implements [Object].
func (m *Model) Refs() []Ref { return []Ref{{Field: "/tenant", Kind: KindTenant, Name: m.Tenant}} }

// Does reports whether the model is for the operation.
func (m *Model) Does(operation string) bool {
	return len(m.Operations) == 0 || slices.Contains(m.Operations, operation)
}
