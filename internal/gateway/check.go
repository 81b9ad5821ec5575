package gateway

import (
	"slices"
	"strings"

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
	if err := e.findModel(); err != nil {
		return err
	}
	if err := checkAbilities(e.model, e.ask); err != nil {
		return err
	}
	if len(e.service.targets) > 0 && !slices.ContainsFunc(e.service.targets, func(t target) bool { return t.serves(e.model.Name) }) {
		return unknownModel(e.ask.Model)
	}
	return nil
}

// findModel finds the model that was asked for and whether the key permits it,
// by its own name or by the one that the client used.
func (e *exchange) findModel() error {
	asked := e.ask.Model
	e.model = e.st.model(e.group, asked)
	if e.model == nil {
		e.findInNamespace()
	}
	if key := e.x.Consumer.Key; key != nil && !key.AllowsModel(asked) && (e.model == nil || !key.AllowsModel(e.model.Name)) {
		return sluice.Errorf(sluice.CodeForbidden, "the key does not permit model %q", clip(asked)).At("/model")
	}
	if e.model == nil {
		return unknownModel(asked)
	}
	e.x.Model = e.model.Name
	return nil
}

// findInNamespace reads "ns.model" as a model of the group ns. The key must name
// it among its models: a group is a tier of prices, and a key without a list
// keeps to its own.
func (e *exchange) findInNamespace() {
	key := e.x.Consumer.Key
	ns, name, ok := strings.Cut(e.ask.Model, ".")
	if !ok || key == nil || len(key.Models) == 0 || e.route.Group != "" || !key.AllowsModel(e.ask.Model) {
		return
	}
	group := lookup(e.st.groups, key.Tenant, ns)
	if group == nil || group.problem != nil || !group.Admits(key.Tenant) {
		return
	}
	if m := e.st.model(group, name); m != nil {
		e.model, e.group, e.service = m, group, group.service
	}
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
	case a.NeedsVision && (lacks(m.SupportsVision) || !m.Reads("image")):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not read images", m.Name).At("/messages")
	case a.NeedsAudio && !m.Reads("audio"):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not read audio", m.Name).At("/messages")
	case a.NeedsFiles && !m.Reads("file"):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not read documents", m.Name).At("/messages")
	case a.NeedsReasoning && lacks(m.SupportsReasoning) && m.ParamPolicy == sluice.ParamsStrict:
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not reason", m.Name).At("/reasoning_effort")
	case a.NeedsSchema && lacks(m.SupportsJSONSchema):
		return sluice.Errorf(sluice.CodeInvalidRequest, "model %q does not answer by a JSON schema", m.Name).At("/response_format")
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
