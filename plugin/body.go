package plugin

import (
	"time"

	"github.com/sluicegate/sluice"
)

// bodyRun is what one body filter did so far in one exchange.
type bodyRun struct {
	skip  bool
	trace int // index into Exchange.Trace
	spent time.Duration
}

// HasBodyFilter reports whether [Chain.BodyFilter] has anything to do; without
// it the gateway passes pieces on untouched.
func (c *Chain) HasBodyFilter() bool { return len(c.body) > 0 }

// BodyFilter passes a piece of the answer through the body filters, in order,
// and returns what to send, possibly nothing. last marks the end; it must be
// passed exactly once. The result is valid until the next call. Each filter has
// one trace entry for the whole body.
func (c *Chain) BodyFilter(x *Exchange, chunk []byte, last bool) ([]byte, error) {
	if len(x.bodyRuns) != len(c.body) {
		if err := c.prepareBody(x); err != nil {
			return nil, err
		}
	}
	for i, e := range c.body {
		run := &x.bodyRuns[i]
		if run.skip {
			continue
		}
		if e.whole != nil && !x.gathered {
			if err := c.gather(x, e, chunk); err != nil || !last {
				return nil, err
			}
			chunk, x.gathered = x.whole, true
		}
		out, err := c.filterBody(x, e, run, chunk, last)
		if err != nil {
			return nil, err
		}
		chunk = out
		if len(chunk) == 0 && !last {
			return nil, nil
		}
	}
	return chunk, nil
}

// prepareBody decides once per exchange which body filters apply, so that none
// changes its mind halfway through a body, and unsets the length that a
// gathering plugin may change.
func (c *Chain) prepareBody(x *Exchange) error {
	x.bodyRuns, x.whole, x.gathered = x.bodyRuns[:0], x.whole[:0], false
	gathers := false
	for _, e := range c.body {
		runs, err := e.applies(x)
		if err != nil {
			return refuse(e, err)
		}
		trace := sluice.PluginTrace{Plugin: e.Name, Phase: string(PhaseBodyFilter)}
		if !runs {
			trace.Decision = decisionSkipped
		}
		x.bodyRuns = append(x.bodyRuns, bodyRun{skip: !runs, trace: len(x.Trace)})
		x.Trace = append(x.Trace, trace)
		gathers = gathers || runs && e.whole != nil
	}
	if gathers && hasBody(x) {
		x.Response.ContentLength = -1
		x.Response.Fields.Del("Content-Length")
	}
	return nil
}

// hasBody reports whether the answer carries a body at all: one to HEAD, 204
// and 304 keeps the length that it states.
func hasBody(x *Exchange) bool {
	if x.Response == nil || x.Request != nil && x.Request.Method == "HEAD" {
		return false
	}
	return x.Response.Status != 204 && x.Response.Status != 304
}

// filterBody runs one filter over one piece and adds to its trace.
func (c *Chain) filterBody(x *Exchange, e *entry, run *bodyRun, chunk []byte, last bool) (out []byte, err error) {
	start := c.now()
	err = contain(e, PhaseBodyFilter, func() (err error) {
		if e.whole != nil {
			out, err = e.whole.ResolveResponse(x, chunk)
		} else {
			out, err = e.body.BodyFilter(x, chunk, last)
		}
		return err
	})
	run.spent += c.now().Sub(start)
	t := &x.Trace[run.trace]
	t.Micros = run.spent.Microseconds()
	if err != nil {
		t.Decision = string(sluice.CodeOf(err))
	}
	return out, refuse(e, err)
}
