package gateway

import (
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/plugin"
)

// check finds the targets and refuses what they could not serve, before a
// connection is opened or a token spent (features E6, E7).
func (e *exchange) check() error {
	if e.service = e.route.service; e.service != nil {
		return nil
	}
	group, err := e.targetGroup()
	if err != nil {
		return err
	}
	e.group, e.service = group, group.service
	if e.op.Local {
		return nil
	}
	if key := e.x.Consumer.Key; key != nil && !key.AllowsModel(e.ask.Model) {
		return sluice.Errorf(sluice.CodeForbidden, "the key does not permit model %q", clip(e.ask.Model)).At("/model")
	}
	if e.model = e.st.model(group, e.ask.Model); e.model == nil {
		return unknownModel(e.ask.Model)
	}
	if err := checkAbilities(e.model, e.ask); err != nil {
		return err
	}
	if len(group.service.targets) > 0 && !slices.ContainsFunc(group.service.targets, func(t target) bool { return t.serves(e.ask.Model) }) {
		return unknownModel(e.ask.Model)
	}
	return nil
}

// targetGroup is the group that the route is pinned to, or the key's own.
func (e *exchange) targetGroup() (*groupState, error) {
	group := e.consumer
	if e.route.Group != "" {
		group = lookup(e.st.groups, e.route.Tenant, e.route.Group)
	} else if e.x.Consumer.Key == nil {
		return nil, sluice.Errorf(sluice.CodeUnauthorized, "a key is required")
	}
	if group == nil || !group.Admits(callerTenant(e.x.Consumer, e.route)) {
		return nil, sluice.Errorf(sluice.CodeForbidden, "the key's tenant may not use its group")
	}
	if group.problem != nil {
		return nil, sluice.Errorf(sluice.CodeUnavailable, "the group is misconfigured").Because(group.problem)
	}
	return group, nil
}

// callerTenant is whose permission counts: the consumer's, or on a route without
// authentication the route's owner's.
func callerTenant(c plugin.Consumer, r *routeState) string {
	if c.Key != nil {
		return c.Key.Tenant
	}
	return r.Tenant
}

// unknownModel does not tell a model that nobody has from one of another group.
func unknownModel(name string) error {
	return sluice.Errorf(sluice.CodeNotFound, "model %q does not exist or is not available to this key", clip(name)).At("/model")
}

// checkAbilities compares what the request needs with what the model states.
func checkAbilities(m *sluice.Model, a *dialect.Ask) error {
	lacks := func(has *bool) bool { return has != nil && !*has }
	switch {
	case !m.Does(purpose(a.Operation.Name)):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q is not for %s", m.Name, a.Operation.Name).At("/model")
	case a.NeedsVision && lacks(m.SupportsVision):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not read images", m.Name).At("/messages")
	case a.NeedsFunctions && lacks(m.SupportsFunctions):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not call functions", m.Name).At("/tools")
	case a.NeedsToolChoice && lacks(m.SupportsToolChoice):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not take a tool choice", m.Name).At("/tool_choice")
	case a.NeedsFIM && lacks(m.SupportsFIM):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not fill in the middle", m.Name).At("/suffix")
	case m.MaxOutputTokens > 0 && a.MaxTokens > m.MaxOutputTokens:
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q answers with at most %d tokens, %d were asked for", m.Name, m.MaxOutputTokens, a.MaxTokens).At("/max_tokens")
	case m.ContextWindow > 0 && leastTokens(a)+a.MaxTokens > m.ContextWindow:
		return sluice.Errorf(sluice.CodeInvalidRequest, "the request does not fit the context of %d tokens of model %q", m.ContextWindow, m.Name).At("/messages")
	}
	return nil
}

// purpose is what a model has to be for: who counts the tokens of a conversation
// is going to have it.
func purpose(operation string) string {
	if operation == dialect.OpCount {
		return dialect.OpChat
	}
	return operation
}

// leastTokens is a size that the input has for certain: half of what it likely
// has. Without the model's tokenizer the doubt is the provider's to resolve.
func leastTokens(a *dialect.Ask) int64 { return a.InputEstimate / 2 }

// clip shortens what a client sent for use in a message.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
