package anthropic

import (
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// pair checks that every call is answered in the turn that follows it, and that
// every result answers such a call, as this API insists on. Turns of the same
// role count as one. found, unless nil, sees every result with its call.
func pair(turns []form.Turn, found func(call, result *form.Part)) error {
	open := map[string]*form.Part{} // calls of the assistant's last turn
	role := form.RoleUser
	for i := range turns {
		t := &turns[i]
		if t.Role == form.RoleSystem {
			continue
		}
		if t.Role != role && t.Role == form.RoleAssistant {
			if err := unanswered(open); err != nil {
				return err
			}
			clear(open)
		}
		role = t.Role
		if err := pairTurn(t, open, found); err != nil {
			return err
		}
	}
	return unanswered(open)
}

// pairTurn opens the calls of a turn and answers those before it.
func pairTurn(t *form.Turn, open map[string]*form.Part, found func(call, result *form.Part)) error {
	for j := range t.Parts {
		switch p := &t.Parts[j]; p.Kind {
		case form.PartCall:
			if _, twice := open[p.Call.ID]; twice {
				return form.Refuse(p.Field, "two calls have the id %q", clip(p.Call.ID))
			}
			open[p.Call.ID] = p
		case form.PartResult:
			call := open[p.Result.ID]
			if call == nil || t.Role == form.RoleAssistant {
				return form.Refuse(p.Field, "the result answers %q, which is not a call of the turn before it that waits for one", clip(p.Result.ID))
			}
			if open[p.Result.ID] = nil; found != nil {
				found(call, p)
			}
		}
	}
	return nil
}

// unanswered blames the first call that has no result.
func unanswered(open map[string]*form.Part) error {
	var first *form.Part
	for _, p := range open {
		if p != nil && (first == nil || p.Field < first.Field) {
			first = p
		}
	}
	if first == nil {
		return nil
	}
	return form.Refuse(first.Field, "the call %q has no result in the turn that follows it", clip(first.Call.ID))
}
