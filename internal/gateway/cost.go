package gateway

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/price"
)

// addPrices compiles the price book. A price that cannot be read is left out and
// shown as disabled; the others serve.
func (c *compiler) addPrices() {
	if c.old != nil && sameList(c.old.snapshot.Prices, c.snap.Prices) {
		c.out.prices, c.out.priceFaults = c.old.prices, c.old.priceFaults
	} else {
		c.out.prices, c.out.priceFaults = price.Compile(c.snap.Prices)
	}
	for _, f := range c.out.priceFaults {
		c.out.conditions = append(c.out.conditions, sluice.Condition{
			Kind: sluice.KindPrice, Tenant: f.Price.Tenant, Name: f.Price.Model, Problem: problemOf(f.Err),
		})
	}
}

// sameList reports whether two lists are one in memory.
func sameList[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// fixPrice fixes what the request is priced by, whatever is published while it
// runs: the version that holds for the model and the consumer's tenant, and the
// multiplier of the group that answers. Counting tokens costs nobody anything.
func (e *exchange) fixPrice() {
	if e.model == nil || e.op.Name == dialect.OpCount {
		return
	}
	if e.price = e.st.prices.Holding(e.model.Name, callerTenant(e.x.Consumer, e.route), e.x.Start); e.price == nil {
		e.unpriced = true
		return
	}
	e.priceRef = e.price.Ref(e.group.PriceMultiplier)
}

// cost fills in what the request costs by its ending. Usage of a unit that the
// version does not price leaves the record without a cost, which it says.
func (e *exchange) cost(r *sluice.Record) {
	r.Price, r.Unpriced = e.priceRef, e.unpriced
	if e.price == nil {
		return
	}
	if e.g.cfg.Endings[r.Outcome] == sluice.ChargeNothing {
		r.Cost = sluice.Money{Asset: e.price.Asset()}
		return
	}
	ended := price.Ended{Outcome: r.Outcome, Content: e.delivered(), Usage: r.Usage, Source: r.UsageSource}
	cost, err := e.price.Cost(ended, e.priceRef.Multiplier)
	if err != nil {
		e.g.cfg.Log.Warn("a request could not be priced", "request", e.x.ID, "model", e.model.Name, "version", e.priceRef.Version, "error", err)
		r.Unpriced = true
		return
	}
	r.Cost = cost
}

// delivered reports whether content of a target's answer reached the client.
func (e *exchange) delivered() bool { return e.answering != nil && e.begun && !e.failing }
