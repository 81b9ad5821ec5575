package gateway_test

import (
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A request that one provider's protocol cannot express must go to a provider
// that can, and be refused before it costs anything only when there is none.
func TestTargetsThatCannotExpressARequestArePassedOver(t *testing.T) {
	f := newFixture(t, overWire)
	cannot, can := sluicetest.NewUpstream(t, sluicetest.JSON(200, `{}`)), sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("cannot", cannot, func(p *sluice.Provider) { p.Type = "anthropic" })
	f.addProvider("can", can, func(p *sluice.Provider) { p.Priority = 1 })
	f.apply()
	if a := f.chat(`,"n":2`); a.status != 200 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if r := f.record(); r.Provider != "can" || len(r.Attempts) != 2 || r.Attempts[0].Code != sluice.CodeInvalidRequest {
		t.Errorf("record %+v", r)
	}

	alone := newFixture(t, overWire)
	alone.addProvider("cannot", cannot, func(p *sluice.Provider) { p.Type = "anthropic" })
	alone.apply()
	if a := alone.chat(`,"n":2`); a.status != 400 || a.errorCode() != sluice.CodeInvalidRequest {
		t.Errorf("alone: got %d %s", a.status, a.body)
	}
	if n := len(cannot.Requests()); n != 0 {
		t.Errorf("%d requests were sent to the one that cannot", n)
	}
}
