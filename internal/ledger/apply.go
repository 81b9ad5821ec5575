package ledger

import (
	"fmt"
	"time"

	"github.com/sluicegate/sluice"
)

// Fact is a journal entry as far as the ledger is concerned.
type Fact struct {
	// Seq is the entry's number; facts of one journal come in rising order.
	Seq uint64
	// Hold comes with the first OPEN of a request, Posting with each TERMINAL;
	// an entry without either moves the position only.
	Hold    *sluice.Hold
	Posting *sluice.Posting
	// Record is what the final TERMINAL says of its request; nil for other entries.
	// The book does not look into it.
	Record *sluice.Record
	// Lost says that entries up to Seq are damaged or gone: an anomaly.
	Lost bool
	// Booked is the first transfer of this request's settlement, when the store
	// has it and the book has forgotten; [Poster.Receive] fills it in.
	Booked *sluice.Transfer
	// CostBooked says that the store has what this attempt cost.
	CostBooked bool
}

// Anomaly is something that must not happen and did not stop the ledger: it is
// written to the outbox for an operator.
type Anomaly struct {
	Journal string
	Seq     uint64
	Request sluice.RequestID
	Reason  string
}

// Apply takes consecutive facts of a journal, the first of which follows after,
// and returns the journal's position in memory. Facts at or before the position
// are skipped; when after is beyond it, nothing is applied and the caller goes
// back to the position. What is made of them waits in the outbox. A book that
// breaks, or is broken, stays where it is.
func (b *Book) Apply(journal string, after uint64, facts []Fact, now time.Time) uint64 {
	b.mu.Lock()
	defer b.leave(nil)
	if b.Broken() != nil || after > b.applied[journal] {
		return b.applied[journal]
	}
	for i := range facts {
		if facts[i].Seq > b.applied[journal] {
			b.apply(position{journal, facts[i].Seq}, &facts[i], now)
			b.applied[journal] = facts[i].Seq // behind what it made, or it would be skipped when it comes again
		}
	}
	return b.applied[journal]
}

// apply takes one fact. It cannot fail: what does not fit becomes an anomaly,
// because a journal must not stand still behind one bad entry.
func (b *Book) apply(at position, f *Fact, now time.Time) {
	out := item{at: at, record: f.Record}
	switch {
	case f.Lost:
		out.anomaly(at, sluice.RequestID{}, "journal entries are lost")
	case f.Hold != nil:
		if err := validate(f.Hold); err != nil {
			out.anomaly(at, f.Hold.Request, err.Error())
			break
		}
		out.transfers = b.open(*f.Hold, at.journal, at.seq, now)
	case f.Posting != nil:
		b.post(&out, f, now)
	}
	b.outbox = append(b.outbox, out)
}

// post takes the posting of a TERMINAL.
func (b *Book) post(out *item, f *Fact, now time.Time) {
	p := f.Posting
	if err := p.Validate(); err != nil || p.Charge > maxAmount || p.Cost.Amount > maxAmount {
		out.anomaly(out.at, p.Request, fmt.Sprintf("a posting that cannot be booked: %v", err))
		return
	}
	if !p.Final {
		b.postAttempt(out, f, now)
		return
	}
	known, done := b.settled.by[p.Request]
	if f.Booked != nil && !done {
		known, done = settlement{f.Booked.Gateway, f.Booked.JournalSeq, p.Charge}, true
	}
	if done {
		out.record = nil // the store has one since then, and a request has one
		if known != (settlement{out.at.journal, out.at.seq, p.Charge}) {
			out.anomaly(out.at, p.Request, fmt.Sprintf("settled before, by entry %d for %s", known.seq, known.charge))
		}
		return
	}
	// Its cost, too, is booked once: the store ignores the id of a second one.
	made, free := b.settle(p, out.at, now)
	out.transfers, out.confirms = append(b.cost(p, out.at, now), made...), free
}

// postAttempt takes the TERMINAL of an attempt that did not end its request. One
// that comes twice, by another entry, costs once: the store would ignore the
// second transfer, and memory must not be above it.
func (b *Book) postAttempt(out *item, f *Fact, now time.Time) {
	made := b.costOf(f.Posting)
	if made.IsZero() {
		return
	}
	_, known := b.costs.by[made]
	if known || f.CostBooked {
		out.anomaly(out.at, f.Posting.Request, fmt.Sprintf("attempt %d ended before", f.Posting.Attempt))
		return
	}
	b.costs.put(made, struct{}{})
	out.transfers = b.cost(f.Posting, out.at, now)
}

// Unsettled reports whether the book cannot tell from memory if a request was
// settled: the caller asks the store.
func (b *Book) Unsettled(id sluice.RequestID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, done := b.settled.by[id]
	return !done && b.holds[id] == nil
}

// Applied is the position of a journal in memory.
func (b *Book) Applied(journal string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.applied[journal]
}
