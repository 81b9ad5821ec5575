package openai

import (
	"net/url"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// plan is what does not change from one request of an account to the next.
type plan struct {
	flavor           flavor
	root             *url.URL
	addr, serverName string
	apiVersion       string
	scrub            peer.Scrubber
	// targets are the request targets by operation path; nil where they depend
	// on the model.
	targets map[string]string
	// fields are those that every call has, credential included.
	fields []sluice.Field
	// quoted are the provider's own names of models as JSON.
	quoted map[string][]byte
	// responses is the account as the Responses API reaches it.
	responses responsesPeer
	// states says that the target can be asked for usage in streams.
	states bool
}

var _ dialect.Preparer = flavor{}

// Prepare implements [dialect.Preparer].
func (f flavor) Prepare(account dialect.Account) (any, error) { return f.prepare(&account) }

func (f flavor) prepare(account *dialect.Account) (*plan, error) {
	root, err := f.root(account.Provider)
	if err != nil {
		return nil, err
	}
	p := &plan{flavor: f, root: root, addr: peer.Address(root), serverName: root.Hostname(), apiVersion: account.Provider.APIVersion}
	p.scrub = peer.NewScrubber(account.APIKey, root.Host, f.secretBase(root))
	p.addFields(account)
	if !f.azure || p.apiVersion == "" {
		p.targets = make(map[string]string, len(endpoints))
		for _, e := range endpoints {
			p.targets[e.path] = root.Path + f.below(e.path, p.apiVersion, "")
		}
	}
	p.quoted = make(map[string][]byte, len(account.Provider.ModelMap))
	for _, name := range account.Provider.ModelMap {
		p.quoted[name] = quote(name)
	}
	p.responses = p.responsesOf(account.Provider)
	enabled, set := account.Provider.Settings["stream_usage"].(bool)
	p.states = enabled || !set && !f.quirks.silent
	return p, nil
}

// addFields lists the fields that say who calls.
func (p *plan) addFields(account *dialect.Account) {
	add := func(name, value string) { p.fields = append(p.fields, sluice.Field{Name: name, Value: value}) }
	// Usage is read from the passing bytes, so they must not be compressed.
	add("Accept-Encoding", "identity")
	add("User-Agent", "sluice")
	for _, s := range [...]struct{ setting, field string }{{"organization", "OpenAI-Organization"}, {"project", "OpenAI-Project"}} {
		if value, _ := account.Provider.Settings[s.setting].(string); value != "" {
			add(s.field, value)
		}
	}
	switch key := account.APIKey; {
	case key == "":
	case p.flavor.azure:
		add("api-key", key)
	default:
		add("Authorization", "Bearer "+key)
	}
}

// target is the request target of an operation for a model.
func (p *plan) target(path string, account *dialect.Account) string {
	if t, ok := p.targets[path]; ok {
		return t
	}
	return p.root.Path + p.flavor.below(path, p.apiVersion, account.Model)
}

// model is the provider's name of a model as JSON.
func (p *plan) model(name string) []byte {
	if text, ok := p.quoted[name]; ok {
		return text
	}
	return quote(name)
}
