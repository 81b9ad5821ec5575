package gateway

import (
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// terms are a tenant's terms of payment, ready for use.
type terms struct {
	*sluice.Tenant
	// wallets are the tenant's own, by asset: naming one would allocate.
	wallets map[string]sluice.AccountID
	// level is what an answer waits for before its end leaves.
	level journal.Level
	// problem refuses every request that costs something.
	problem error
}

// addTerms compiles the tenants' terms. A tenant that was published before there
// were terms pays as its migration will say: later, without a limit.
func (c *compiler) addTerms() {
	c.out.terms = make(map[string]*terms, len(c.snap.Tenants))
	for i := range c.snap.Tenants {
		raw := c.snap.Tenants[i]
		c.disabled[raw.Name] = raw.Status == sluice.StatusDisabled
		if raw.Spending == "" {
			raw.Spending, raw.UnlimitedCredit = sluice.SpendingPostpaid, true
		}
		t, err := check(&raw)
		if err != nil {
			c.disable(t, err)
		}
		c.out.terms[t.Name] = &terms{Tenant: t, wallets: map[string]sluice.AccountID{}, level: levelOf(t), problem: err}
	}
	for _, p := range c.snap.Prices {
		for name, t := range c.out.terms {
			if t.wallets[p.Asset] == "" {
				t.wallets[p.Asset] = sluice.TenantWallet(name, p.Asset)
			}
		}
	}
}

func levelOf(t *sluice.Tenant) journal.Level {
	if t.Durability == sluice.DurabilityFast {
		return journal.Written
	}
	return journal.Synced
}

// holdSlack is how much longer a hold lives than the calls that it is for may
// take: the time to drain one, and to bring its ending to the books.
const holdSlack = 2 * time.Minute

// longest is how long all attempts of one request may take together.
func (s *service) longest() time.Duration {
	var most int64
	for i := range s.targets {
		most = max(most, s.targets[i].timeouts.TotalMS)
	}
	return time.Duration(most)*time.Millisecond*time.Duration(max(s.attempts, 1)) + holdSlack
}
