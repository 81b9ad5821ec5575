package gemini

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// config is a generationConfig as clients write it.
type config struct {
	CandidateCount     integer         `json:"candidateCount"`
	StopSequences      []string        `json:"stopSequences"`
	MaxOutputTokens    integer         `json:"maxOutputTokens"`
	Temperature        json.Number     `json:"temperature"`
	TopP               json.Number     `json:"topP"`
	TopK               *integer        `json:"topK"`
	Seed               *integer        `json:"seed"`
	PresencePenalty    json.Number     `json:"presencePenalty"`
	FrequencyPenalty   json.Number     `json:"frequencyPenalty"`
	ResponseMimeType   string          `json:"responseMimeType"`
	ResponseSchema     json.RawMessage `json:"responseSchema"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema"`
	ResponseModalities []string        `json:"responseModalities"`
	ResponseLogprobs   bool            `json:"responseLogprobs"`
	Logprobs           integer         `json:"logprobs"`
	ThinkingConfig     *struct {
		IncludeThoughts *bool    `json:"includeThoughts"`
		ThinkingBudget  *integer `json:"thinkingBudget"`
		ThinkingLevel   string   `json:"thinkingLevel"`
	} `json:"thinkingConfig"`
}

// configured are the members of config; every other one is an extra.
var configured = []string{
	"candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty",
	"frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "_responseJsonSchema",
	"responseModalities", "responseLogprobs", "logprobs", "thinkingConfig",
}

// generation reads the generationConfig.
func (d *chatDecoder) generation(raw json.RawMessage, field string) error {
	if err := numbers(raw, field); err != nil {
		return err
	}
	var c config
	if err := decode(raw, field, &c); err != nil {
		return err
	}
	for m := jsonscan.Document(raw); m.Next(); {
		switch name := string(m.Key()); {
		case name == "_responseJsonSchema":
			c.ResponseJSONSchema = m.Value().In(raw) // what the Python SDK calls it
		case !slices.Contains(configured, name):
			d.extra("generationConfig."+name, m.Value().In(raw))
		}
	}
	chat := d.chat
	chat.MaxTokens, chat.Stop = int64(c.MaxOutputTokens), c.StopSequences
	chat.Sampling = form.Sampling{
		Temperature: c.Temperature, TopP: c.TopP, FrequencyPenalty: c.FrequencyPenalty, PresencePenalty: c.PresencePenalty,
		TopK: (*int64)(c.TopK), Seed: (*int64)(c.Seed), N: int64(c.CandidateCount),
		Logprobs: c.ResponseLogprobs, TopLogprobs: int64(c.Logprobs),
	}
	if err := d.thinking(&c, field+"/thinkingConfig"); err != nil {
		return err
	}
	if err := modalities(c.ResponseModalities, field+"/responseModalities"); err != nil {
		return err
	}
	return d.format(&c, field)
}

// numbers checks the members that are numbers, which ProtoJSON may write as
// strings.
func numbers(raw json.RawMessage, field string) error {
	for m := jsonscan.Document(raw); m.Next(); {
		name, value := string(m.Key()), m.Value().In(raw)
		if m.Value().Kind == jsonscan.Null {
			continue
		}
		switch name {
		case "temperature", "topP", "presencePenalty", "frequencyPenalty":
			var n json.Number
			if json.Unmarshal(value, &n) != nil || n == "" {
				return form.Refuse(field+"/"+name, "%s must be a number", name)
			}
		case "topK", "seed", "maxOutputTokens", "candidateCount", "logprobs":
			if _, ok := wholeNumber(value); !ok {
				return form.Refuse(field+"/"+name, "%s must be an integer", name)
			}
		}
	}
	return nil
}

// thinking reads the thinkingConfig.
func (d *chatDecoder) thinking(c *config, field string) error {
	t := c.ThinkingConfig
	if t == nil {
		return nil
	}
	r := &d.chat.Reasoning
	shown := t.IncludeThoughts != nil && *t.IncludeThoughts // they are not by habit
	r.Field, r.Shown, r.Budget = field, &shown, (*int64)(t.ThinkingBudget)
	switch level := strings.ToLower(t.ThinkingLevel); level {
	case "", "thinking_level_unspecified":
	case "minimal", "low", "medium", "high":
		r.Effort = level
	default:
		return form.Refuse(field+"/thinkingLevel", "thinkingLevel %q must be MINIMAL, LOW, MEDIUM or HIGH", clip(t.ThinkingLevel))
	}
	if r.Budget != nil && *r.Budget < -1 {
		return form.Refuse(field+"/thinkingBudget", "thinkingBudget must be -1 or more")
	}
	return nil
}

// modalities refuses answers that no other protocol gives: text in the place of
// a picture is not what was asked for.
func modalities(list []string, field string) error {
	for _, m := range list {
		if strings.EqualFold(m, "TEXT") || m == "MODALITY_UNSPECIFIED" {
			return nil
		}
	}
	if len(list) > 0 {
		return form.Refuse(field, "the provider of this model answers with text only")
	}
	return nil
}

// format reads the shape of the answer.
func (d *chatDecoder) format(c *config, field string) error {
	f := &d.chat.Format
	schema, at := c.ResponseJSONSchema, field+"/responseJsonSchema"
	if len(c.ResponseSchema) > 0 && string(c.ResponseSchema) != "null" {
		var err error
		at = field + "/responseSchema"
		if schema, err = jsonSchema(c.ResponseSchema, at); err != nil {
			return err
		}
	}
	if string(schema) == "null" {
		schema = nil
	}
	switch kind := c.ResponseMimeType; {
	case kind == "application/json" && len(schema) > 0:
		f.Kind, f.Name, f.Schema, f.Field = form.FormatSchema, "response", schema, at
	case kind == "application/json":
		f.Kind, f.Field = form.FormatJSON, field+"/responseMimeType"
	case kind == "text/x.enum":
		return form.Refuse(field+"/responseMimeType", "text/x.enum cannot be asked of the provider of this model; use application/json")
	case kind != "" && kind != "text/plain":
		return form.Refuse(field+"/responseMimeType", "responseMimeType %q must be text/plain or application/json", clip(kind))
	case len(schema) > 0:
		return form.Refuse(field+"/responseMimeType", "a schema needs responseMimeType application/json")
	}
	return nil
}
