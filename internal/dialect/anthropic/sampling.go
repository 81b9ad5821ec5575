package anthropic

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// sampling writes how tokens are chosen: temperature to 1, one of two samplers
// from Claude 4.1 on, none from 4.7 on, and next to none while it thinks.
func (e *encoder) sampling() error {
	s := &e.chat.Sampling
	if s.N > 1 {
		return form.Refuse("/n", "%d answers were asked for, the provider of this model gives one", s.N)
	}
	drops := []struct {
		name string
		set  bool
	}{
		{"frequency_penalty", s.FrequencyPenalty != ""}, {"presence_penalty", s.PresencePenalty != ""},
		{"seed", s.Seed != nil}, {"logprobs", s.Logprobs}, {"top_logprobs", s.TopLogprobs > 0},
		{"temperature", s.Temperature != "" && !e.takesTemperature()},
		{"top_p", s.TopP != "" && !e.takesTopP()},
		{"top_k", s.TopK != nil && (e.version >= v4_7 || e.thinks())},
	}
	dropped := map[string]bool{}
	for _, d := range drops {
		if dropped[d.name] = d.set; !d.set {
			continue
		}
		if err := e.target.Drop(d.name, ""); err != nil {
			return err
		}
	}
	if !dropped["top_p"] {
		e.out.TopP = json.RawMessage(s.TopP)
	}
	if !dropped["temperature"] && !(len(e.out.TopP) > 0 && e.version >= v4_1) {
		e.out.Temperature = json.RawMessage(s.Temperature)
	}
	if !dropped["top_k"] {
		e.out.TopK = s.TopK
	}
	return nil
}

// thinks reports whether the request asks the model to think.
func (e *encoder) thinks() bool { return e.out.Thinking != nil && e.out.Thinking.Type != "disabled" }

// takesTemperature reports whether the temperature can be sent: above 1 the
// default of 1 is the nearest there is.
func (e *encoder) takesTemperature() bool {
	f, err := e.chat.Sampling.Temperature.Float64()
	return e.usualTemperature() || err == nil && f >= 0 && f < 1 && e.version < v4_7 && !e.thinks()
}

// takesTopP reports whether top_p can be sent.
func (e *encoder) takesTopP() bool {
	f, err := e.chat.Sampling.TopP.Float64()
	if err != nil || e.version >= v4_7 || e.thinks() && f < 0.95 {
		return false
	}
	return e.version < v4_1 || !e.takesTemperature() || e.usualTemperature()
}

// usualTemperature reports whether the temperature is the default, so that
// leaving it out changes nothing.
func (e *encoder) usualTemperature() bool {
	f, err := e.chat.Sampling.Temperature.Float64()
	return err == nil && f == 1
}
