package plugin

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/sluicegate/sluice"
)

// What [sluice.PluginTrace.Decision] says besides a code.
const (
	decisionSkipped   = "skipped"
	decisionResponded = "responded"
)

// Chain is the compiled plugins of one route, or of one route and consumer. It
// is immutable and safe for concurrent use by different exchanges. The gateway
// calls the phases in order:
//
//	Auth, Access, (the target), HeaderFilter, BodyFilter..., Log
//
// A panic in a plugin becomes an error of [sluice.CodeInternal] that names the
// plugin to the operator; it never leaves the chain.
type Chain struct {
	now    func() time.Time
	logger *slog.Logger

	entries  []*entry
	auth     []*entry // access phase, before the consumer is known
	access   []*entry
	header   []*entry
	body     []*entry
	log      []*entry
	wholeMax int64 // the smallest limit of the gathering plugins, 0 without any
}

// Configured lists what runs, in the order in which it runs, for explanations.
func (c *Chain) Configured() []Configured {
	out := make([]Configured, len(c.entries))
	for i, e := range c.entries {
		out[i] = e.Configured
	}
	return out
}

// Authenticates reports whether the chain has an authenticating plugin.
func (c *Chain) Authenticates() bool {
	for _, e := range c.entries {
		if e.auth {
			return true
		}
	}
	return false
}

// Auth runs the authenticating plugins, and those that come before a consumer
// is known, by priority. It stops at the first error or [Exchange.Respond].
func (c *Chain) Auth(x *Exchange) error { return c.runAccess(x, c.auth) }

// Access runs the rest of the access phase. It stops at the first error or
// [Exchange.Respond]; after a response made in Auth it runs nothing.
func (c *Chain) Access(x *Exchange) error {
	if c.wholeMax > 0 && x.Request != nil {
		// A gathered body is for reading, and no plugin should have to unpack it.
		x.Request.Fields.Del("Accept-Encoding")
	}
	return c.runAccess(x, c.access)
}

func (c *Chain) runAccess(x *Exchange, list []*entry) error {
	for _, e := range list {
		if x.reply != nil {
			return nil
		}
		if err := c.run(x, e, PhaseAccess, func() error { return e.access.Access(x) }); err != nil {
			return err
		}
	}
	return nil
}

// HeaderFilter runs the header filters over [Exchange.Response]. When a
// gathering plugin will run, the answer's length becomes unknown.
func (c *Chain) HeaderFilter(x *Exchange) error {
	for _, e := range c.header {
		if err := c.run(x, e, PhaseHeaderFilter, func() error { return e.header.HeaderFilter(x) }); err != nil {
			return err
		}
	}
	return c.prepareBody(x)
}

// Log runs the log phase. Errors have nowhere to go in it: a panic is logged
// and the next plugin runs. Assign [sluice.Record.Plugins] from the trace
// afterwards.
func (c *Chain) Log(x *Exchange, r *sluice.Record) {
	for _, e := range c.log {
		err := c.run(x, e, PhaseLog, func() error { e.log.Log(x, r); return nil })
		if err != nil {
			c.logger.Error("plugin failed in the log phase", "plugin", e.Name, "request", x.ID, "error", err)
		}
	}
}

// run runs one plugin in one phase: filter, clock, trace, panics, refusal.
func (c *Chain) run(x *Exchange, e *entry, phase Phase, call func() error) error {
	start := c.now()
	runs, err := e.applies(x)
	if runs {
		err = contain(e, phase, call)
	}
	decision := string(sluice.CodeOf(err))
	switch {
	case !runs && err == nil:
		decision = decisionSkipped
	case err == nil && phase == PhaseAccess && x.reply != nil:
		decision = decisionResponded
	}
	x.Trace = append(x.Trace, sluice.PluginTrace{Plugin: e.Name, Phase: string(phase), Decision: decision, Micros: c.now().Sub(start).Microseconds()})
	return refuse(e, err)
}

// applies evaluates the filter; one that panics refuses the request, because it
// may guard a plugin that protects the route.
func (e *entry) applies(x *Exchange) (runs bool, err error) {
	if e.filter == nil {
		return true, nil
	}
	err = contain(e, "filter", func() error { runs = e.filter(x); return nil })
	return runs, err
}

// contain turns a panic into an internal error that names the plugin.
func contain(e *entry, phase Phase, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sluice.Errorf(sluice.CodeInternal, "internal error").Because(fmt.Errorf("plugin %s panicked in %s: %v", e.Name, phase, p))
		}
	}()
	return call()
}
