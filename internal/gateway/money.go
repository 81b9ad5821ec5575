package gateway

import (
	"context"
	"math"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/price"
)

// The money session owns what a request costs from its admission to its end:
//
//	fixPrice, bill -> Admit takes the hold
//	openAttempt    -> OPEN, durable before the first upstream byte (Call.Before)
//	progress       -> PROGRESS as content is delivered; the hold grows with it
//	closeAttempt   -> TERMINAL of an attempt that gave no answer
//	account        -> the final TERMINAL, durable before the last piece leaves
//	settleMoney    -> the same for every other exit
//
// Plugins can only refuse before it.
type money struct {
	id    sluice.RequestID
	terms *terms
	hold  sluice.Hold
	// held says that Admit took the hold.
	held bool
	// attempt is the last one of which OPEN was appended, 0 for none, and running
	// that it has no TERMINAL yet.
	attempt uint16
	running bool
	// opening is its OPEN.
	opening journal.Seq
	// limit is what is held by now.
	limit sluice.Nanos
	// noted is when PROGRESS was last written, or the answer began, and output
	// how many tokens had been delivered by then.
	noted  time.Time
	output int64
	// final says that the final TERMINAL was appended; record is what it says.
	final  bool
	record *finished
	// late says that an ending waits for the journal to have room.
	late bool
	// broken says that the journal failed, which no other target mends.
	broken bool
}

// ink is what a session keeps from one request to the next.
type ink struct {
	entry   journal.Entry
	posting sluice.Posting
	text    []byte
	// ready is waitOpen as a value, made once.
	ready func() error
}

// When PROGRESS is written: what a crash may cost the house at most.
const (
	progressEvery  = 2 * time.Second
	progressTokens = 256
)

// defaultOutput is how many tokens of an answer are held for where nobody bounds
// it, and of a stream whose model may give more; a stream that delivers more
// extends its hold, and what a whole answer costs beyond it is taken as overage.
const defaultOutput = 4096

// bill says what is to be held for the request before it may run; nil is nothing.
// A model without a price is refused before any cost, unless its tenant is
// trusted without limit: then the record says that a price is missing.
func (e *exchange) bill() (*sluice.Hold, error) {
	e.fixPrice()
	if e.price == nil && !e.unpriced {
		return nil, nil
	}
	t := e.st.terms[callerTenant(e.x.Consumer, e.route)]
	if t == nil || t.problem != nil {
		return nil, sluice.Errorf(sluice.CodeUnavailable, "the terms of payment of this tenant are not known")
	}
	if e.unpriced {
		if !t.UnlimitedCredit || e.ownMeans() {
			return nil, noPrice(e.model.Name)
		}
		return nil, nil
	}
	if e.g.cfg.Journal == nil {
		return nil, nil
	}
	amount, err := e.price.Estimate(e.most(), e.priceRef.Multiplier)
	if err != nil {
		return nil, e.inestimable(err)
	}
	id, err := sluice.ParseRequestID(e.x.ID)
	if err != nil {
		return nil, err
	}
	m := &e.money
	m.id, m.terms, m.limit = id, t, amount
	m.hold = sluice.Hold{
		Request: id, Amount: amount, Deadline: e.g.cfg.Now().Add(e.service.lasts), Price: e.priceRef, DebtForbidden: t.DebtForbidden,
	}
	e.chooseWallet()
	return &m.hold, nil
}

// ownMeans reports whether the key is held to means of its own, whatever the
// credit of its tenant is.
func (e *exchange) ownMeans() bool {
	key := e.x.Consumer.Key
	return key != nil && (len(key.Caps) > 0 || key.Wallet == sluice.WalletKey || key.Wallet == sluice.WalletUser)
}

// inestimable says why the most that a request can cost is not known: the price
// leaves out what it uses, or it asks for more than an amount can be.
func (e *exchange) inestimable(cause error) error {
	b := e.most()
	b.Input, b.Output = min(b.Input, 1), min(b.Output, 1)
	if _, err := e.price.Estimate(b, e.priceRef.Multiplier); err != nil {
		return sluice.Errorf(sluice.CodeNoPrice, "model %q has no price for %s", e.model.Name, e.op.Name).At("/model").Because(err)
	}
	return sluice.Errorf(sluice.CodeInvalidRequest, "the request asks for more than can be paid for").At("/max_tokens").Because(cause)
}

func noPrice(model string) *sluice.Error {
	return sluice.Errorf(sluice.CodeNoPrice, "model %q has no price", model).At("/model")
}

// chooseWallet says who pays, and on what terms.
func (e *exchange) chooseWallet() {
	h, t, asset := &e.money.hold, e.money.terms, e.price.Asset()
	if h.Wallet, h.Floor = t.wallets[asset], t.Floor(asset); h.Wallet == "" {
		h.Wallet = sluice.TenantWallet(t.Name, asset)
	}
	key := e.x.Consumer.Key
	if key == nil {
		return
	}
	if key.Wallet == sluice.WalletKey || key.Wallet == sluice.WalletUser && key.User != "" {
		h.Wallet, h.Floor = key.WalletAccount(asset), 0
	}
	if len(key.Caps) > 0 {
		h.Caps = key.CapLimits(asset, e.x.Start)
	}
}

// most is what the request is taken to use at most.
func (e *exchange) most() price.Bound {
	a := e.ask
	b := price.Bound{Input: a.InputUpper, Media: a.NeedsVision || a.NeedsAudio || a.NeedsFiles}
	if a.Pieces != (sluice.Pieces{}) {
		b.Media, b.Other = true, sluice.Usage{Pieces: a.Pieces}.Quantities()
	}
	if e.op.Name == dialect.OpEmbeddings || a.OutputUpper == dialect.NoOutput {
		return b
	}
	// What is known of the answer holds: a cap may be one that nobody obeys there.
	if b.Output = a.OutputUpper; b.Output == 0 {
		b.Output = a.MaxTokens
	}
	if b.Output == 0 {
		b.Output = e.unbounded()
	}
	if n := max(a.Choices, 1); b.Output > math.MaxInt64/n {
		b.Output = math.MaxInt64
	} else {
		b.Output *= n
	}
	return b
}

// unbounded is how many tokens are held for where the client sets no cap: of a
// whole answer, which cannot be ended on the way, all that the model may give.
func (e *exchange) unbounded() int64 {
	most := e.model.MaxOutputTokens
	if most > 0 && (!e.ask.Stream || most < defaultOutput) {
		return most
	}
	return defaultOutput
}

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
