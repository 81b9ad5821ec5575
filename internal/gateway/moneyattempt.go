package gateway

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// When PROGRESS is written: what a crash may cost the house at most.
const (
	progressEvery  = 2 * time.Second
	progressTokens = 256
)

// openAttempt journals an attempt that is about to be made. The call waits for
// the entry once it has a connection, so that the disk and the dial overlap.
func (e *exchange) openAttempt(a *attempt) error {
	m := &e.money
	if !m.held {
		return nil
	}
	entry := &e.ink.entry
	*entry = journal.Entry{Kind: journal.Open, Request: m.id, Attempt: m.attempt + 1, At: e.picked}
	if m.attempt == 0 {
		entry.Hold = &m.hold
	}
	seq, err := e.g.cfg.Journal.Append(entry)
	if err != nil {
		m.broken = true
		return unwritten(err)
	}
	m.attempt, m.running, m.opening = m.attempt+1, true, seq
	a.call.Before = e.ink.ready
	return nil
}

// unwritten is what a client is told of a journal that cannot be written.
func unwritten(err error) error {
	return sluice.Errorf(sluice.CodeUnavailable, "what the request costs cannot be written down now").After(1).Because(err)
}

// waitOpen returns once the attempt's OPEN is as durable as the tenant's terms
// ask for. It comes from the transport, between connection and first byte.
func (e *exchange) waitOpen() error {
	if ended := e.flight.err(); ended != nil {
		return ended // a call that drains would go on to be made, for nobody
	}
	err := e.g.cfg.Journal.Wait(e.g.patience.context(), e.money.opening, e.money.terms.level)
	if err != nil {
		e.money.broken = true
		return unwritten(err)
	}
	return nil
}

// closeAttempt journals that an attempt gave no answer: it costs the customer
// nothing, and the house what its provider stated.
func (e *exchange) closeAttempt(a *attempt) {
	m := &e.money
	if !m.running {
		return
	}
	m.running = false
	e.ink.posting = sluice.Posting{Request: m.id, Attempt: m.attempt, Outcome: sluice.OutcomeError, Price: m.hold.Price}
	if a.leg != nil {
		usage, source := a.leg.Usage()
		e.ink.posting.Quantities, e.ink.posting.Source = quantities(usage, source), source
		e.ink.posting.Cost = e.costLeg(a, usage, source)
	}
	e.append(&journal.Entry{Kind: journal.Terminal, Request: m.id, Attempt: m.attempt, At: a.reached, Posting: &e.ink.posting})
}

// quantities counts nothing where nothing is known.
func quantities(usage sluice.Usage, source sluice.UsageSource) (q sluice.Quantities) {
	if source == sluice.UsageNone && usage.Total() == 0 {
		return q
	}
	return usage.Quantities()
}

// costLeg is what an attempt that used this much cost the house by the provider's
// own terms; zero where they are not known.
func (e *exchange) costLeg(a *attempt, usage sluice.Usage, source sluice.UsageSource) (leg sluice.CostLeg) {
	if a.target == nil || a.target.account.Provider == nil {
		return leg
	}
	p := a.target.account.Provider
	if p.CostMultiplier == 0 || source == sluice.UsageNone && usage.Total() == 0 {
		return leg
	}
	list := e.st.prices.Holding(e.model.Name, "", e.x.Start)
	if list == nil {
		return leg
	}
	amount, err := list.Charge(usage.Quantities(), p.CostMultiplier)
	if err != nil || amount == 0 {
		return leg
	}
	owner := p.Tenant + "/" + p.Name
	return sluice.CostLeg{
		Debit: sluice.OwnedAccount(sluice.AccountCOGS, owner, list.Asset()), Credit: sluice.OwnedAccount(sluice.AccountPayable, owner, list.Asset()), Amount: amount,
	}
}

// progress notes now and then what has been delivered, and extends the hold ahead
// of what comes next. An error is that it cannot grow: the answer ends with what
// was delivered.
func (e *exchange) progress(a *attempt) error {
	m := &e.money
	if !m.held || m.final {
		return nil
	}
	usage, source := a.leg.Usage()
	output, now := usage.Output+usage.Reasoning+usage.AudioOutput, e.g.cfg.Now()
	if output-m.output < progressTokens && now.Sub(m.noted) < progressEvery {
		return nil
	}
	m.output, m.noted = output, now
	charge, err := e.price.Charge(quantities(usage, source), m.hold.Price.Multiplier)
	if err != nil {
		return nil // the ending says so
	}
	e.ink.posting = sluice.Posting{
		Request: m.id, Attempt: m.attempt, Final: true, Quantities: quantities(usage, source), Source: source,
		Price: m.hold.Price, Wallet: m.hold.Wallet, DebtForbidden: m.hold.DebtForbidden, Charge: charge,
	}
	e.ink.entry = journal.Entry{Kind: journal.Progress, Request: m.id, Attempt: m.attempt, At: now, Posting: &e.ink.posting}
	if _, err := e.g.cfg.Journal.Append(&e.ink.entry); err != nil {
		e.g.cfg.Log.Warn("progress was not written down", "request", e.x.ID, "error", err)
	}
	return e.extend(charge)
}

// extend keeps the hold ahead of what has been delivered, by half of what it was.
func (e *exchange) extend(charge sluice.Nanos) error {
	m := &e.money
	ahead := max(m.hold.Amount/2, 1)
	unlimited := m.hold.Floor == sluice.NoFloor && len(m.hold.Caps) == 0
	if charge+ahead/2 <= m.limit || charge == 0 || unlimited {
		return nil
	}
	total := max(charge, m.limit) + ahead
	err := e.g.cfg.Admission.Extend(context.Background(), m.id, total)
	if err != nil && charge <= m.limit {
		return nil // what was held may still be delivered
	}
	if sluice.CodeOf(err) == sluice.CodeInsufficientBalance {
		total = charge // the balance is nearly at its end, and may reach this far
		err = e.g.cfg.Admission.Extend(context.Background(), m.id, total)
	}
	if err == nil {
		m.limit = total
	}
	return err
}
