package gateway

import (
	"math"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/price"
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
