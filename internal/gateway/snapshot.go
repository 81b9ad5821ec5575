package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/price"
	"github.com/sluicegate/sluice/internal/route"
	"github.com/sluicegate/sluice/plugin"
)

// followPause is the first pause after Snapshots failed; it doubles up to
// followPauseMax.
const (
	followPause    = 100 * time.Millisecond
	followPauseMax = 5 * time.Second
)

// followSnapshots applies every snapshot that arrives until ctx is done.
func (g *Gateway) followSnapshots(ctx context.Context) {
	var seen uint64
	if st := g.current.Load(); st != nil {
		seen = st.snapshot.Revision
	}
	pause := followPause
	for ctx.Err() == nil {
		s, err := g.cfg.Snapshots.Next(ctx, seen)
		if err != nil {
			if ctx.Err() == nil && sluice.CodeOf(err) != sluice.CodeUnavailable {
				g.cfg.Log.Error("no snapshot could be had", "after", seen, "error", err)
			}
			sleep(ctx, pause)
			pause = min(pause*2, followPauseMax)
			continue
		}
		pause, seen = followPause, s.Revision
		start := time.Now()
		if err := g.Apply(s); err != nil {
			g.cfg.Log.Error("snapshot refused", "revision", s.Revision, "error", err)
			continue
		}
		g.cfg.Log.Info("snapshot applied", "revision", s.Revision, "routes", len(s.Routes), "keys", len(s.Keys),
			"disabled_objects", len(g.current.Load().conditions), "took", time.Since(start))
	}
}

// sleep waits for d, or less when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// ref names an object within its kind.
type ref struct{ tenant, name string }

// state is a compiled snapshot: immutable but for its bounded caches.
type state struct {
	snapshot   *sluice.Snapshot
	index      *route.Index
	routes     map[*sluice.Route]*routeState
	groups     map[ref]*groupState
	models     map[ref]*sluice.Model
	names      *names
	keys       *keys
	prices     *price.Book
	terms      map[string]*terms // by tenant
	conditions []sluice.Condition
	services   []*service
	// priceFaults are the prices that prices leaves out.
	priceFaults []price.Fault
}

// close gives back what the state holds of the pool of targets.
func (s *state) close() {
	for _, svc := range s.services {
		svc.set.Close()
	}
}

// compiler builds a state beside the one that is being served.
type compiler struct {
	g        *Gateway
	snap     *sluice.Snapshot
	old      *state
	out      *state
	disabled map[string]bool // names of disabled tenants
	env      plugin.Env
	// sample is some chain of this state, whose global plugins the others share.
	sample *plugin.Chain
}

// compile turns a snapshot into a state. Only what every request depends on can
// refuse it as a whole.
func (g *Gateway) compile(s *sluice.Snapshot) (*state, error) {
	if s.Schema > sluice.SnapshotSchema {
		return nil, sluice.Errorf(sluice.CodeSchemaNewer, "the snapshot has schema %d, this gateway reads up to %d", s.Schema, sluice.SnapshotSchema)
	}
	if err := g.cfg.Plugins.ValidateAll(s.GlobalPlugins); err != nil {
		// A global rule that is missing may be the one that protects everything.
		return nil, fmt.Errorf("compile global plugins of snapshot %d: %w", s.Revision, err)
	}
	c := &compiler{g: g, snap: s, old: g.current.Load(), disabled: map[string]bool{}}
	c.env = plugin.Env{Log: g.cfg.Log, Now: g.cfg.Now}
	c.out = &state{
		snapshot: s,
		routes:   make(map[*sluice.Route]*routeState, len(s.Routes)),
		groups:   make(map[ref]*groupState, len(s.Groups)),
		models:   make(map[ref]*sluice.Model, len(s.Models)),
		names:    newNames(),
	}
	c.addTerms()
	c.addModels()
	c.addPrices()
	c.addGroups()
	c.addRoutes()
	c.addKeys()
	return c.out, nil
}

// disable records why an object does not serve.
func (c *compiler) disable(o sluice.Object, err error) {
	c.out.conditions = append(c.out.conditions, sluice.Condition{
		Kind: o.Kind(), Tenant: o.GetMeta().Tenant, Name: o.GetMeta().Name, Problem: problemOf(err),
	})
}

// problemOf is the text of an error for people who configure.
func problemOf(err error) string {
	var e *sluice.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Field != "" {
		return e.Message + " (" + e.Field + ")"
	}
	return e.Message
}

// check normalizes a copy of an object and validates it.
func check[T any, P interface {
	*T
	sluice.Object
}](o P) (P, error) {
	c := *o
	p := P(&c)
	p.Normalize()
	return p, p.Validate()
}

func (c *compiler) addModels() {
	for i := range c.snap.Models {
		m, err := check(&c.snap.Models[i])
		if err != nil {
			c.disable(m, err)
			continue
		}
		if m.Status == sluice.StatusActive {
			c.out.models[ref{m.Tenant, m.Name}] = m
			c.out.names.add(m)
		}
	}
}
