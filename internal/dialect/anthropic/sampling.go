package anthropic

import "github.com/sluicegate/sluice/internal/dialect/form"

// sampling writes how tokens are chosen: temperature to 1, one of two samplers
// from Claude 4.1 on, none from 4.7 on, and next to none while it thinks.
func (e *encoder) sampling() error {
	s := &e.chat.Sampling
	if s.N > 1 {
		return form.Refuse("/n", "%d answers were asked for, the provider of this model gives one", s.N)
	}
	unknown := [...]struct {
		name string
		set  bool
	}{
		{"frequency_penalty", s.FrequencyPenalty != ""}, {"presence_penalty", s.PresencePenalty != ""},
		{"seed", s.Seed != nil}, {"logprobs", s.Logprobs}, {"top_logprobs", s.TopLogprobs > 0},
	}
	for _, u := range unknown {
		if !u.set {
			continue
		}
		if err := e.target.Drop(u.name, ""); err != nil {
			return err
		}
	}
	return e.samplers(s)
}

// samplers writes those that the API knows, as far as the model takes them.
func (e *encoder) samplers(s *form.Sampling) error {
	out := &e.out
	out.topP, out.topK = s.TopP, s.TopK
	if s.Temperature != "" && !e.takesTemperature() {
		if err := e.target.Drop("temperature", ""); err != nil {
			return err
		}
	} else {
		out.temperature = s.Temperature
	}
	if s.TopP != "" && !e.takesTopP() {
		if err := e.target.Drop("top_p", ""); err != nil {
			return err
		}
		out.topP = ""
	}
	if out.topP != "" && e.version >= v4_1 {
		out.temperature = "" // the usual one, or there would be no top_p
	}
	if s.TopK != nil && (e.version >= v4_7 || e.thinks()) {
		out.topK = nil
		return e.target.Drop("top_k", "")
	}
	return nil
}

// thinks reports whether the request asks the model to think.
func (e *encoder) thinks() bool { return e.out.thinking != nil && e.out.thinking.kind != "disabled" }

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
