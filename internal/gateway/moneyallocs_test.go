//go:build !race

package gateway_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
)

// pricedBudget is what a request with a hold, a journal and a record in it may
// allocate: what the ledger keeps of the hold beyond the budget of every other.
const pricedBudget = allocationBudget + 2

// Money would make every request dearer than its budget.
func TestAllocationsPerPricedRequest(t *testing.T) {
	for _, l := range loads()[1:3] {
		t.Run(l.name, func(t *testing.T) {
			m := benchMoney(t, l)
			d := m.drive(l)
			for range 300 {
				d.once()
			}
			if n := allocations(d, 500); n > pricedBudget {
				t.Errorf("%.1f allocations, %d are allowed", n, pricedBudget)
			} else {
				t.Logf("%.1f allocations", n)
			}
			if s := m.journal.Stats(); s.Last&(1<<40-1) < 2*800 {
				t.Errorf("the journal has %+v", s)
			}
		})
	}
}

// BenchmarkPriced is BenchmarkServe with a hold and a journal, under fast and
// under strict terms; nothing is shipped.
func BenchmarkPriced(b *testing.B) {
	for _, l := range loads()[1:3] {
		for name, terms := range map[string]func(*sluice.Tenant){"fast": fast, "strict": strict} {
			b.Run(l.name+"/"+name, func(b *testing.B) {
				m := benchMoney(b, l)
				m.terms(terms)
				m.apply()
				d := m.drive(l)
				for range 200 {
					d.once()
				}
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					d.once()
				}
			})
		}
	}
}

// BenchmarkPricedPipeline is BenchmarkPipeline with a hold, two entries in a
// journal and a record in the second; fast terms, and nothing is shipped.
func BenchmarkPricedPipeline(b *testing.B) {
	for _, l := range loads()[1:3] {
		b.Run(l.name, func(b *testing.B) {
			m := &memory{}
			m.serve(b, benchMoney(b, l, m.asOutbound).fixture, l)
		})
	}
}

// benchMoney is the fixture of benchmarks with a journal and a ledger, whose
// tenant pays in advance by fast terms.
func benchMoney(t testing.TB, l load, options ...option) *money {
	m := &money{till: &till{}, now: time.Now}
	m.open(t, setting{now: time.Now, kept: true})
	m.fixture = benchFixture(t, l.answer, append(options, func(g *gateway.Config, _ *limits) { g.Journal, g.Admission = m.journal, m.admissionOver(nil) })...)
	m.terms(func(t *sluice.Tenant) {
		t.Spending, t.UnlimitedCredit, t.Durability = sluice.SpendingPrepaid, false, sluice.DurabilityFast
	})
	m.apply()
	m.topUp(acme, usd(1_000_000_000_000))
	return m
}
