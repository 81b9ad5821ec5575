package sluice

import (
	"fmt"
	"regexp"
	"slices"
	"time"
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
	// SupportsReasoning: it thinks before it answers, and may be told how much.
	SupportsReasoning *bool `json:"supports_reasoning,omitempty"`
	// SupportsJSONSchema: it answers in the form of a schema it is given.
	SupportsJSONSchema *bool `json:"supports_json_schema,omitempty"`
	// SupportsParallelCalls: it calls several functions in one answer.
	SupportsParallelCalls *bool `json:"supports_parallel_calls,omitempty"`
	// InputModalities lists all that it reads: text, image, audio, video, file;
	// empty is unknown and enforces nothing.
	InputModalities []string `json:"input_modalities,omitempty" maxItems:"8"`
	// OutputModalities lists all that it writes: text, image, audio, video.
	OutputModalities []string `json:"output_modalities,omitempty" maxItems:"8"`
	// ParamPolicy says what becomes of a parameter that the provider's protocol
	// has no equivalent for: lenient (the default) drops it and names it in
	// X-Sluice-Dropped-Params, strict refuses the request.
	ParamPolicy ParamPolicy `json:"param_policy,omitempty" enum:"lenient,strict"`
	// Operations lists what it is for: chat, completions, embeddings, images,
	// audio, moderations, rerank; empty means any.
	Operations []string `json:"operations,omitempty" maxItems:"16"`
	// Source says who stated the facts above: the entry of the catalogue and the
	// packages that it is made of; empty for what people entered.
	Source string `json:"source,omitempty" maxLength:"256"`
	// SourceDate is the day (YYYY-MM-DD) of which they hold.
	SourceDate string `json:"source_date,omitempty" maxLength:"10"`
	// SourceDigest is what the catalogue wrote, hashed: a model that no longer
	// agrees with it has been edited, and the next load leaves it alone.
	SourceDigest string `json:"source_digest,omitempty" maxLength:"64"`
	Status       Status `json:"status,omitempty" enum:"active,disabled"`
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

// modelModalities are the values of Model.InputModalities and, but for the last,
// of Model.OutputModalities.
var modelModalities = []string{"text", "image", "audio", "video", "file"}

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
	if err := m.validOrigin(); err != nil {
		return err
	}
	return validStatus(m.Status)
}

// validOrigin checks the modalities and where the model's facts come from.
func (m *Model) validOrigin() error {
	if err := validModalities("/input_modalities", m.InputModalities, modelModalities); err != nil {
		return err
	}
	if err := validModalities("/output_modalities", m.OutputModalities, modelModalities[:len(modelModalities)-1]); err != nil {
		return err
	}
	if _, err := time.Parse(time.DateOnly, m.SourceDate); err != nil && m.SourceDate != "" {
		return Errorf(CodeInvalidRequest, "source_date %q is not a day such as 2026-01-31", clip(m.SourceDate)).At("/source_date")
	}
	return nil
}

// validModalities checks one list of modalities.
func validModalities(at string, given, known []string) error {
	for i, modality := range given {
		if !slices.Contains(known, modality) {
			return Errorf(CodeInvalidRequest, "modality %q must be one of %v", clip(modality), known).At(fmt.Sprintf("%s/%d", at, i))
		}
	}
	return nil
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

// Reads reports whether the model reads a modality; one that states none reads
// all.
func (m *Model) Reads(modality string) bool {
	return len(m.InputModalities) == 0 || slices.Contains(m.InputModalities, modality)
}
