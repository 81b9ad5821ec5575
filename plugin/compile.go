package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/sluicegate/sluice"
)

// entry is one configured plugin within a chain, with its phases looked up once.
type entry struct {
	Configured
	priority int
	early    bool // runs in the auth stage
	auth     bool
	filter   func(Vars) bool
	response json.RawMessage

	plugin Plugin
	access Accessor
	header HeaderFilterer
	body   BodyFilterer
	whole  wholeFilterer
	log    Logger
}

// Compile merges the layers and makes the chain that runs them: one flat list
// per phase. Plugins whose owner and configuration are those of a chain in
// reuse are taken over with whatever they keep, so that an unrelated change
// resets nothing.
//
// For a route, compile its layers without a consumer, run [Chain.Auth], and
// when the consumer or its group brings plugins, compile again with their
// layers and continue with that chain. The first configuration that is not
// valid is an error whose Field begins with "/plugins/<name>"; the object that
// carries it must then not serve, because a plugin that is missing may be the
// one that protects it.
func (r *Registry) Compile(env Env, reuse []*Chain, layers ...Layer) (*Chain, error) {
	if env.Now == nil || env.Log == nil {
		return nil, fmt.Errorf("compile plugins: Env needs a clock and a logger")
	}
	c := &Chain{now: env.Now, logger: env.Log}
	for _, configured := range Merge(layers...) {
		e, err := r.entryFor(configured, env, reuse)
		if err != nil {
			return nil, below(configured.Name, err)
		}
		if e != nil {
			c.entries = append(c.entries, e)
		}
	}
	slices.SortStableFunc(c.entries, before)
	c.sort()
	return c, nil
}

// before orders entries: global rules first, then the higher priority, then the
// name.
func before(a, b *entry) int {
	if ga, gb := a.Level == LevelGlobal, b.Level == LevelGlobal; ga != gb {
		if ga {
			return -1
		}
		return 1
	}
	return b.priority - a.priority
}

// entryFor builds or reuses one entry; nil when the plugin is disabled, or
// would authenticate from a layer that belongs to the consumer.
func (r *Registry) entryFor(c Configured, env Env, reuse []*Chain) (*entry, error) {
	s, ok := r.byName[c.Name]
	if !ok {
		return nil, sluice.Errorf(sluice.CodePluginConfig, "there is no plugin %q", clip(c.Name))
	}
	if s.Auth && c.Level >= LevelGroup {
		return nil, nil
	}
	for _, chain := range reuse {
		if e := chain.find(c); e != nil {
			return e, nil
		}
	}
	p, err := s.parse(c.Config, r.filters)
	if err != nil || p.meta.Disable {
		return nil, err
	}
	env.Owner = c.Owner
	env.Log = env.Log.With("plugin", c.Name)
	made, err := s.build(p, env)
	if err != nil {
		return nil, err
	}
	if err := checkPhases(c.Name, made); err != nil {
		return nil, err
	}
	return newEntry(s, c, p, made), nil
}

func newEntry(s *Spec, c Configured, p parsed, made Plugin) *entry {
	e := &entry{Configured: c, plugin: made, filter: p.filter, response: p.meta.ErrorResponse, priority: s.Priority}
	if p.meta.Priority != nil {
		e.priority = *p.meta.Priority
	}
	e.auth = s.Auth
	e.early = s.Auth || s.Early && c.Level < LevelGroup
	e.access, _ = made.(Accessor)
	e.header, _ = made.(HeaderFilterer)
	e.body, _ = made.(BodyFilterer)
	e.whole, _ = made.(wholeFilterer)
	e.log, _ = made.(Logger)
	return e
}

// checkPhases refuses a value that would never run, or whose two body filters
// contradict each other.
func checkPhases(name string, made Plugin) error {
	_, access := made.(Accessor)
	_, header := made.(HeaderFilterer)
	_, body := made.(BodyFilterer)
	_, whole := made.(wholeFilterer)
	_, log := made.(Logger)
	if _, embeds := made.(interface{ wholeLimit() int64 }); embeds && !whole {
		return fmt.Errorf("create plugin %s: %T embeds Whole but has no ResolveResponse", name, made)
	}
	if body && whole {
		return fmt.Errorf("create plugin %s: %T has BodyFilter and ResolveResponse", name, made)
	}
	if !access && !header && !body && !whole && !log {
		return fmt.Errorf("create plugin %s: %T runs in no phase", name, made)
	}
	return nil
}

// find returns the entry that was made from the same configuration of the same
// owner.
func (c *Chain) find(want Configured) *entry {
	if c == nil {
		return nil
	}
	for _, e := range c.entries {
		if e.Name == want.Name && e.Level == want.Level && e.Owner == want.Owner && bytes.Equal(e.Config, want.Config) {
			return e
		}
	}
	return nil
}

// sort fills the per-phase lists from the ordered entries.
func (c *Chain) sort() {
	for _, e := range c.entries {
		switch {
		case e.access != nil && e.early:
			c.auth = append(c.auth, e)
		case e.access != nil:
			c.access = append(c.access, e)
		}
		if e.header != nil {
			c.header = append(c.header, e)
		}
		if e.body != nil || e.whole != nil {
			c.body = append(c.body, e)
		}
		if e.whole != nil && (c.wholeMax == 0 || e.whole.wholeLimit() < c.wholeMax) {
			c.wholeMax = e.whole.wholeLimit()
		}
		if e.log != nil {
			c.log = append(c.log, e)
		}
	}
}

// trialEnv is what a configuration is validated with: it is made once and never
// run.
func trialEnv() Env {
	return Env{
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now:   func() time.Time { return time.Time{} },
		Owner: "validate",
	}
}
