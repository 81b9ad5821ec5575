package gateway

import (
	"cmp"
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// model finds a model by name, or else by what it is called besides: the group
// owner's, then the platform's. The consumer's tenant has no say, or it could
// state abilities and prices of its own for what others supply.
func (s *state) model(group *groupState, name string) *sluice.Model {
	if m := lookup(s.models, group.Tenant, name); m != nil {
		return m
	}
	return s.names.find(group.Tenant, name)
}

// servable lists the models that a consumer can call, by name: those that a
// member of the group serves and the key permits.
func (s *state) servable(group *groupState, consumer plugin.Consumer) []*sluice.Model {
	var list []*sluice.Model
	for at, m := range s.models {
		if lookup(s.models, group.Tenant, at.name) == m && permits(group, consumer, at.name) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b *sluice.Model) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// permits reports whether the key allows a model and a member that is switched
// on serves it.
func permits(group *groupState, consumer plugin.Consumer, model string) bool {
	if consumer.Key != nil && !consumer.Key.AllowsModel(model) {
		return false
	}
	return slices.ContainsFunc(group.service.targets, func(t target) bool { return t.weight > 0 && t.serves(model) })
}

// answerModels lists the models that the caller can use, or shows one of them.
func (e *exchange) answerModels() error {
	list := e.st.servable(e.group, e.x.Consumer)
	body := e.surface.Models(list)
	if want := e.ask.Model; want != "" {
		called := e.st.model(e.group, want)
		i := slices.Index(list, called)
		if i < 0 {
			return unknownModel(want)
		}
		body = e.surface.Model(list[i])
	}
	e.response.Status = 200
	e.response.Fields.Add("Content-Type", "application/json")
	return e.respond(plugin.OriginGateway, body)
}
