package gateway

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// answerTokens is what an answer is taken to cost when the client sets no cap;
// Settle corrects it.
const answerTokens = 512

// admit makes the one call that takes every claim of the access phase, and the
// hold.
func (e *exchange) admit() error {
	hold, err := e.bill()
	if err != nil {
		return e.unadmitted(err)
	}
	if claims := e.estimate(e.x.Claims()); len(claims) > 0 || hold != nil {
		grant, err := e.g.cfg.Admission.Admit(context.Background(), e.claims(claims, hold))
		if err != nil {
			e.standings = refusedStanding(claims, sluice.AsError(err))
			return e.unadmitted(e.x.Refused(err))
		}
		e.grant, e.admitted, e.standings = grant, true, grant.Standings
		e.money.held = hold != nil
	}
	if key := e.x.Consumer.Key; key != nil {
		if use := e.st.keys.useOf(key); use != nil {
			e.g.used.mark(use, e.x.Start)
		}
	}
	return nil
}

// unadmitted forgets the price of a request that may not run: its record has none.
func (e *exchange) unadmitted(err error) error {
	e.price, e.priceRef, e.unpriced = nil, sluice.PriceRef{}, false
	return err
}

// claims is what is asked of Admission for this request.
func (e *exchange) claims(list []sluice.Claim, hold *sluice.Hold) sluice.Claims {
	c := sluice.Claims{RequestID: e.x.ID, List: list, Hold: hold, Standings: e.standings[:0]}
	if key := e.x.Consumer.Key; key != nil {
		c.TokenHash, c.Revision = key.TokenHash, e.st.snapshot.Revision
	}
	return c
}

// estimate fills in the tokens of claims that leave them to us, and drops those
// of a plain request, which has none to claim.
func (e *exchange) estimate(claims []sluice.Claim) []sluice.Claim {
	kept := claims[:0]
	for _, c := range claims {
		if c.Kind == sluice.ClaimTokens && c.Amount == 0 {
			if c.Amount = estimateTokens(e.ask, &c); c.Amount == 0 {
				continue
			}
		}
		kept = append(kept, c)
	}
	return kept
}

// estimateTokens is what the request likely consumes, within what the bucket can
// ever give: a request larger than the limit must be able to run once, and its
// excess is carried as debt.
func estimateTokens(a *dialect.Ask, c *sluice.Claim) int64 {
	if a.Model == "" {
		return 0
	}
	output := a.MaxTokens
	if output == 0 {
		output = answerTokens
	}
	most := c.Limit
	if c.Burst > 0 {
		most = c.Burst
	}
	return max(1, min(a.InputEstimate+output*max(a.Choices, 1), most))
}

// refusedStanding tells about the limit that refused.
func refusedStanding(claims []sluice.Claim, refusal *sluice.Error) []sluice.Standing {
	for _, c := range claims {
		if c.Bucket == refusal.Details["bucket"] && refusalKind(refusal.Code) == c.Kind {
			return []sluice.Standing{{Claim: c, Reset: time.Duration(refusal.RetryAfter) * time.Second}}
		}
	}
	return nil
}

// refusalKind is the kind of claim that a code refuses.
func refusalKind(c sluice.Code) sluice.ClaimKind {
	switch c {
	case sluice.CodeRequestRate:
		return sluice.ClaimRequests
	case sluice.CodeTokenRate:
		return sluice.ClaimTokens
	}
	return sluice.ClaimConcurrency
}

// settle corrects the claims to what was used. It runs in every ending, because
// a slot or an estimate that is never given back starves the key. A hold that an
// OPEN was journaled of is not released here: its posting resolves it.
func (e *exchange) settle(usage sluice.Usage, source sluice.UsageSource) {
	if !e.admitted {
		return
	}
	e.admitted = false
	var err error
	if source == sluice.UsageNone && usage.Total() == 0 && e.money.attempt == 0 {
		err = e.g.cfg.Admission.Release(context.Background(), e.grant)
	} else {
		err = e.g.cfg.Admission.Settle(context.Background(), e.grant, usage.Total())
	}
	if err != nil {
		e.g.cfg.Log.Error("claims were not settled", "request", e.x.ID, "error", err)
	}
}
