package sim

import (
	"fmt"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/price"
)

// request is one request: how it will go, what its client sees, and what the
// upstream knows of it. The upstream's log is the truth that books are held to.
type request struct {
	n      int
	id     sluice.RequestID
	tenant string
	caps   sluice.AccountID // the cap of its key, if it has one
	// How it will go.
	input    int64
	output   int64 // tokens the upstream will produce
	limit    int64 // what the hold is estimated by
	failures int   // attempts that fail before content
	hangUp   int64 // tokens after which the client goes away; 0 is never
	breakOff int64 // tokens after which the upstream breaks off; 0 is never
	drains   bool  // a hang-up is drained rather than cancelled
	hasty    bool  // its hold expires while it runs
	// What became of it.
	node     *node
	done     bool         // its client has had what it will get
	estimate sluice.Nanos // what its hold was
	held     bool
	refused  bool
	crashed  bool // its gateway died first
	last     bool // its client has seen the last frame
	priced   *price.Version
	calls    []*call
	opened   map[uint16]journal.Seq
	charge   sluice.Nanos // what its ending charges
	ended    bool         // its ending was appended
	safe     bool         // and seen to be durable
	proven   sluice.Nanos // what a PROGRESS that was seen to be durable says
	// progressed is what the PROGRESS appended last says.
	progressed sluice.Nanos
}

// call is one call that the upstream served.
type call struct {
	attempt uint16
	served  int64 // tokens
	cost    sluice.Nanos
}

// multiplier is the group's.
const multiplier = sluice.Multiplier(1_300_000)

// draw decides how a request will go.
func (w *World) draw(n int) *request {
	r := &request{n: n, opened: map[uint16]journal.Seq{}, input: 1 + w.rng.Int64N(2000), limit: 400, output: w.rng.Int64N(400)}
	copy(r.id[:], fmt.Sprintf("req%013d", n))
	r.tenant = []string{"prepaid", "prepaid", "postpaid", "free"}[w.rng.IntN(4)]
	if w.opts.Split {
		r.tenant = "free"
	}
	if w.rng.IntN(6) == 0 {
		r.output = 400 + w.rng.Int64N(800) // an upstream that ignores the cap
	}
	if w.rng.IntN(4) == 0 {
		r.failures = 1 + w.rng.IntN(3)
	}
	r.hasty = w.rng.IntN(8) == 0
	switch w.rng.IntN(6) {
	case 0:
		r.hangUp, r.drains = 1+w.rng.Int64N(r.output+1), w.rng.IntN(2) == 0
	case 1:
		r.breakOff = 1 + w.rng.Int64N(r.output+1)
	}
	return r
}

// ask is the client: it sends the request to a gateway that is up.
func (w *World) ask(r *request) {
	w.sleep("client", time.Duration(w.rng.IntN(250))*time.Millisecond+time.Duration(r.n%2)*w.opts.Away/2)
	g := w.gateways[w.rng.IntN(len(w.gateways))]
	for !g.ready {
		w.sleep("client.wait", time.Millisecond)
	}
	r.node = g
	w.spawn(g, fmt.Sprintf("serve%d", r.n), func() {
		g.serve(r)
		r.done = true
	})
}

// level is what an entry has to have reached before the next step.
func (w *World) level() journal.Level {
	if w.opts.Fast {
		return journal.Written
	}
	return journal.Synced
}

// serve is the life of a request as the gateway lives it.
func (n *node) serve(r *request) {
	w := n.w
	r.priced, _ = w.prices.At(model, r.tenant, w.now)
	ref := r.priced.Ref(multiplier)
	estimate, err := r.priced.Estimate(price.Bound{Input: r.input, Output: r.limit}, multiplier)
	if err != nil {
		w.violate("request %d: %v", r.n, err)
	}
	hold := sluice.Hold{Request: r.id, Wallet: wallet(r.tenant), Floor: w.limits[r.tenant], Amount: estimate, Deadline: w.now.Add(time.Minute), Price: ref}
	if r.caps != "" {
		hold.Caps = []sluice.CapLimit{{Account: r.caps, Limit: w.capLimit}}
	}
	if w.opts.Away > 0 {
		hold.Deadline = w.now.Add(holdsFor)
	}
	if r.hasty {
		hold.Deadline = w.now.Add(4 * time.Millisecond)
	}
	r.estimate = estimate
	if n.books {
		if err := n.book.Hold(hold, w.now); err != nil {
			r.refused = true
			return
		}
		r.held = true
		w.covered(r, &hold)
	}
	w.pause("held")
	for attempt := uint16(1); ; attempt++ {
		if !n.open(r, hold, attempt) {
			return
		}
		c := &call{attempt: attempt}
		r.calls = append(r.calls, c) // the first upstream byte
		w.pause("called")
		if int(attempt) > r.failures {
			n.stream(r, hold, c)
			return
		}
		c.cost = 1000
		if attempt == 3 {
			n.end(r, hold, c, sluice.OutcomeError, 0)
			return
		}
		n.append(&journal.Entry{Kind: journal.Terminal, Request: r.id, Attempt: attempt, At: w.now, Posting: posting(r, hold, c, false, sluice.OutcomeError, 0)})
	}
}

// open journals an attempt and waits until it is durable. Before the first one
// a refusal costs nothing; later ones end the request.
func (n *node) open(r *request, hold sluice.Hold, attempt uint16) bool {
	w := n.w
	e := &journal.Entry{Kind: journal.Open, Request: r.id, Attempt: attempt, At: w.now}
	if attempt == 1 {
		e.Hold = &hold
	}
	seq, err := n.journal.Append(e)
	if err != nil && attempt == 1 {
		r.refused = true
		if n.books {
			n.book.Release(r.id)
		}
		return false
	}
	if err != nil {
		n.end(r, hold, &call{}, sluice.OutcomeError, 0)
		return false
	}
	r.opened[attempt] = seq
	for range 40 {
		if n.journal.Reached(seq, w.level()) {
			return true
		}
		w.sleep("open.wait", 500*time.Microsecond)
	}
	n.end(r, hold, &call{attempt: attempt}, sluice.OutcomeError, 0) // the disk is too slow: refused, at no charge
	return false
}

// stream delivers an answer piece by piece.
func (n *node) stream(r *request, hold sluice.Hold, c *call) {
	w := n.w
	outcome, held, progress := sluice.OutcomeComplete, hold.Amount, journal.Seq(0)
	for c.served < r.output {
		piece := min(1+w.rng.Int64N(90), r.output-c.served)
		c.served += piece
		c.cost = sluice.Nanos(c.served)
		w.pause("chunk")
		now := charge(r, c.served)
		if w.rng.IntN(3) == 0 {
			if seq, err := n.journal.Append(&journal.Entry{Kind: journal.Progress, Request: r.id, Attempt: c.attempt, At: w.now, Posting: posting(r, hold, c, true, "", now)}); err == nil {
				progress, r.progressed = seq, now
			}
		}
		w.sleep("chunk.wait", time.Duration(w.rng.IntN(4000))*time.Microsecond)
		if progress > 0 && n.journal.Reached(progress, w.level()) {
			r.proven, progress = max(r.proven, r.progressed), 0
		}
		if now > held && n.books {
			if err := n.book.Extend(r.id, now+hold.Amount/2, w.now); err != nil {
				outcome = sluice.OutcomeIncomplete
				break
			}
			held = now + hold.Amount/2
		}
		if r.breakOff > 0 && c.served >= r.breakOff {
			outcome = sluice.OutcomeIncomplete
			break
		}
		if r.hangUp > 0 && c.served >= r.hangUp {
			outcome = sluice.OutcomeClientGone
			if !r.drains {
				break
			}
		}
	}
	n.end(r, hold, c, outcome, charge(r, c.served))
}

// charge is what so many tokens cost.
func charge(r *request, served int64) sluice.Nanos {
	c, err := r.priced.Charge(used(r, served), multiplier)
	if err != nil {
		panic(err)
	}
	return c
}

func used(r *request, served int64) sluice.Quantities {
	return sluice.Quantities{sluice.UnitInput: r.input, sluice.UnitOutput: served, sluice.UnitRequest: 1}
}

func posting(r *request, hold sluice.Hold, c *call, final bool, outcome sluice.Outcome, charge sluice.Nanos) *sluice.Posting {
	p := &sluice.Posting{
		Request: r.id, Attempt: c.attempt, Final: final, Outcome: outcome, Source: sluice.UsageProvider,
		Price: hold.Price, Wallet: hold.Wallet, DebtForbidden: hold.DebtForbidden, Charge: charge,
	}
	if charge > 0 {
		p.Quantities = used(r, c.served)
	}
	if c.cost > 0 {
		p.Cost = sluice.CostLeg{Debit: "cogs:openly@USD", Credit: "payable:openly/main@USD", Amount: c.cost}
	}
	return p
}

// append insists: what happened has to be written down.
func (n *node) append(e *journal.Entry) journal.Seq {
	for {
		seq, err := n.journal.Append(e)
		if err == nil {
			return seq
		}
		if sluice.CodeOf(err) != sluice.CodeUnavailable {
			n.w.violate("appending %s of %s: %v", e.Kind, e.Request, err)
			return 0
		}
		n.w.sleep("append.retry", time.Millisecond)
	}
}

// end journals the final TERMINAL and releases the last frame behind it.
func (n *node) end(r *request, hold sluice.Hold, c *call, outcome sluice.Outcome, charge sluice.Nanos) {
	w := n.w
	w.pause("ending")
	r.charge = charge
	r.hasty = r.hasty || !hold.Deadline.After(w.now) // it ran longer than it was held for
	seq := n.append(&journal.Entry{Kind: journal.Terminal, Request: r.id, Attempt: c.attempt, At: w.now, Posting: posting(r, hold, c, true, outcome, charge)})
	r.ended = true
	for !n.journal.Reached(seq, w.level()) {
		w.sleep("end.wait", 500*time.Microsecond)
	}
	w.pause("released")
	r.safe = true
	r.last = outcome == sluice.OutcomeComplete
}
