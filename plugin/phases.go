package plugin

import "encoding/json"

// Phases returns the phases in which the plugin runs when it is configured as
// its first example, or not at all; nil when it cannot be made so. It is for
// documentation: a chain asks the plugin itself.
func (s *Spec) Phases() []Phase {
	raw := json.RawMessage(`{}`)
	if len(s.Examples) > 0 {
		raw = s.Examples[0]
	}
	p, err := s.parse(raw, nil)
	if err != nil || p.config == nil {
		return nil
	}
	made, err := s.build(p, trialEnv())
	if err != nil {
		return nil
	}
	var phases []Phase
	add := func(runs bool, phase Phase) {
		if runs {
			phases = append(phases, phase)
		}
	}
	_, access := made.(Accessor)
	_, header := made.(HeaderFilterer)
	_, body := made.(BodyFilterer)
	_, whole := made.(wholeFilterer)
	_, log := made.(Logger)
	add(access, PhaseAccess)
	add(header, PhaseHeaderFilter)
	add(body || whole, PhaseBodyFilter)
	add(log, PhaseLog)
	return phases
}
