package gateway

import (
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// account writes down what a complete answer costs, and returns once that is
// durable: its last piece of n bytes may leave then. Strict terms never let it
// leave before; with fast ones it does after a moment, and is counted.
func (e *exchange) account(n int) error {
	m := &e.money
	if !m.held || m.final || e.failing {
		return nil
	}
	if ended := e.flight.err(); ended != nil {
		return ended
	}
	if m.terms.level == journal.Synced {
		if err := e.awaitDisk(); err != nil {
			return sluice.Errorf(sluice.CodeChargeFailed, "what the answer costs cannot be written down").Because(err)
		}
	}
	seq, ok := e.finalEntry(sluice.OutcomeComplete, int64(n))
	if !ok {
		return sluice.Errorf(sluice.CodeChargeFailed, "what the answer costs could not be written down")
	}
	j := e.g.cfg.Journal
	if m.terms.level == journal.Synced {
		if err := e.insist(seq); err != nil {
			return sluice.Errorf(sluice.CodeChargeFailed, "what the answer costs could not be written down").Because(err)
		}
		return nil
	}
	if err := j.Wait(e.g.haste.context(), seq, journal.Written); err != nil {
		e.g.metrics.late.Inc()
	}
	return nil
}

// awaitDisk waits while the journal's disk is known to fail, as insist does. An
// ending is not even offered to it: once taken it charges a complete answer, and
// this one may never be.
func (e *exchange) awaitDisk() error {
	failing := e.g.cfg.Journal.Failing()
	if failing == nil {
		return nil
	}
	ctx := e.g.patience.context()
	for ; failing != nil; failing = e.g.cfg.Journal.Failing() {
		if ctx.Err() != nil {
			return failing
		}
		if ended := e.flight.err(); ended != nil {
			return ended
		}
		sleep(ctx, appendPause)
	}
	return nil
}

// insist waits for an ending to be durable, through failures of the disk, for as
// long as there is patience and somebody to have the answer.
func (e *exchange) insist(seq journal.Seq) error {
	ctx := e.g.patience.context()
	for {
		err := e.g.cfg.Journal.Wait(ctx, seq, journal.Synced)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if ended := e.flight.err(); ended != nil {
			return ended
		}
		sleep(ctx, appendPause)
	}
}

// settleMoney writes the final TERMINAL of an exchange that ended in any other
// way than by a complete answer. Nobody waits for it.
func (e *exchange) settleMoney() {
	if m := &e.money; m.attempt > 0 && !m.final {
		e.finalEntry(e.outcome(), 0)
	}
}

// finalEntry appends the final TERMINAL with the request's record. ok is false
// when the journal has no room even for that: the request then stays open in it
// and is ended from its last PROGRESS at the next start.
func (e *exchange) finalEntry(outcome sluice.Outcome, unsent int64) (seq journal.Seq, ok bool) {
	m := &e.money
	usage, source := e.usage()
	m.record = e.compose(outcome, usage, source, unsent)
	m.final = true
	r := &m.record.record
	e.ink.posting = sluice.Posting{
		Request: m.id, Final: true, Outcome: outcome, Source: source, Price: m.hold.Price,
		Wallet: m.hold.Wallet, DebtForbidden: m.hold.DebtForbidden, Charge: r.Cost.Amount,
	}
	if r.Cost.Amount > 0 || source != sluice.UsageNone {
		e.ink.posting.Quantities = quantities(usage, source)
	}
	if m.running {
		if e.answering == nil && e.attempt.leg != nil {
			usage, source = e.attempt.leg.Usage() // it did not come to answer, and costs the house all the same
		}
		e.ink.posting.Attempt = m.attempt
		e.ink.posting.Cost = e.costLeg(&e.attempt, usage, source)
	}
	m.running = false
	return e.append(&journal.Entry{
		Kind: journal.Terminal, Request: m.id, Attempt: e.ink.posting.Attempt, At: e.g.cfg.Now(), Posting: &e.ink.posting, Record: e.recordText(r),
	})
}

// recordText renders the record for the journal; what is long and dispensable is
// left out of one that does not fit.
func (e *exchange) recordText(r *sluice.Record) []byte {
	text := sluice.AppendRecord(e.ink.text[:0], r)
	if len(text) > journal.MaxRecordBytes {
		short := *r
		short.Attempts, short.Plugins = nil, nil
		text = sluice.AppendRecord(text[:0], &short)
	}
	e.ink.text = text
	return text
}

// How long an ending is offered to a journal that has no room for it.
const (
	appendTries = 20
	appendPause = 10 * time.Millisecond
)

// append writes down what has happened; it insists, because a lost ending would
// be charged by what the journal last knew.
func (e *exchange) append(entry *journal.Entry) (seq journal.Seq, ok bool) {
	e.ink.entry = *entry
	if e.money.late {
		e.g.lateEndings.add(&e.ink.entry) // behind the one before
		return 0, false
	}
	var err error
	for range appendTries {
		if seq, err = e.g.cfg.Journal.Append(&e.ink.entry); sluice.CodeOf(err) != sluice.CodeUnavailable {
			break
		}
		time.Sleep(appendPause)
	}
	if sluice.CodeOf(err) == sluice.CodeUnavailable {
		e.g.lateEndings.add(&e.ink.entry)
		e.money.late = true
	}
	if err != nil {
		e.g.metrics.unsettled.Inc()
		e.g.cfg.Log.Error("an ending was not written down yet", "request", e.x.ID, "kind", entry.Kind.String(), "attempt", entry.Attempt,
			"charge", entry.Posting.Charge.String(), "wallet", string(entry.Posting.Wallet), "error", err)
	}
	return seq, err == nil
}
