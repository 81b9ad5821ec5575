package app

import (
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/store"
)

// Bounds of what is kept for repetitions of one caller.
const (
	maxAnswers     = 1_000_000
	maxAnswerBytes = 64 << 30
)

// answers keeps answers in a store, within the operator's bounds.
func (h *host) answers(s link.AnswerStore) link.AnswersConfig {
	return link.AnswersConfig{Store: s, Now: time.Now, Most: store.AnswerLimits{Keys: int64(h.IdempotencyKeys), Bytes: int64(h.IdempotencyBytes)}}
}

// checkMoney checks the journal's bounds, what endings are charged for, and what
// is kept for repetitions.
func (c *Config) checkMoney(p *problems) {
	if c.JournalQuota < minQuota || c.JournalQuota > maxQuota {
		p.bad("SLUICE_JOURNAL_QUOTA_BYTES (journal.quota_bytes) must be %d to %d", minQuota, maxQuota)
	}
	if c.JournalSegment < minSegment || c.JournalSegment > maxSegment || c.JournalSegment > c.JournalQuota/8 {
		p.bad("SLUICE_JOURNAL_SEGMENT_BYTES (journal.segment_bytes) must be %d to %d, and at most an eighth of journal.quota_bytes", minSegment, maxSegment)
	}
	if c.LedgerLease < minLease || c.LedgerLease > maxLease {
		p.bad("SLUICE_LEDGER_LEASE (ledger.lease) must be %s to %s", minLease, maxLease)
	}
	if c.TopUpURL != "" && !webAddress(c.TopUpURL) {
		p.bad("SLUICE_TOP_UP_URL (billing.top_up_url): %q is not an http(s) address", c.TopUpURL)
	}
	if c.IdempotencyKeys < 1 || c.IdempotencyKeys > maxAnswers {
		p.bad("SLUICE_IDEMPOTENCY_KEYS (idempotency.keys) must be 1 to %d", maxAnswers)
	}
	if c.IdempotencyBytes < 1 || c.IdempotencyBytes > maxAnswerBytes {
		p.bad("SLUICE_IDEMPOTENCY_BYTES (idempotency.bytes) must be 1 to %d", maxAnswerBytes)
	}
	for _, name := range sortedKeys(c.Endings) {
		c.checkEnding(p, sluice.Outcome(name), sluice.ChargeBasis(c.Endings[name]))
	}
}

// checkEnding refuses an outcome that is not in the table of endings, and a basis
// that none of its rows offers.
func (c *Config) checkEnding(p *problems, outcome sluice.Outcome, basis sluice.ChargeBasis) {
	const setting = "SLUICE_BILLING_ENDINGS (billing.endings)"
	choices := endingChoices(outcome)
	switch {
	case len(choices) == 0:
		p.bad("%s: there is no ending %q; docs/money.md lists them", setting, outcome)
	case !sluice.MayCharge(outcome, basis):
		p.bad("%s: %s cannot be charged for %q; choose one of: %s", setting, outcome, basis, strings.Join(choices, ", "))
	}
}

// endingChoices lists the bases of all rows of an outcome.
func endingChoices(outcome sluice.Outcome) (choices []string) {
	seen := map[sluice.ChargeBasis]bool{}
	for _, e := range sluice.Endings() {
		for _, basis := range e.Choices {
			if e.Outcome == outcome && !seen[basis] {
				seen[basis] = true
				choices = append(choices, string(basis))
			}
		}
	}
	return choices
}

// endings are billing.endings as the gateway takes them.
func (c *Config) endings() map[sluice.Outcome]sluice.ChargeBasis {
	if len(c.Endings) == 0 {
		return nil
	}
	chosen := make(map[sluice.Outcome]sluice.ChargeBasis, len(c.Endings))
	for outcome, basis := range c.Endings {
		chosen[sluice.Outcome(outcome)] = sluice.ChargeBasis(basis)
	}
	return chosen
}

// amendCrash is what billing.endings makes of the ending of a request whose
// gateway died; nil leaves it as it is.
func (c *Config) amendCrash() func(*sluice.Posting) {
	if sluice.ChargeBasis(c.Endings[string(sluice.OutcomeCrash)]) != sluice.ChargeNothing {
		return nil
	}
	return func(p *sluice.Posting) { p.Charge = 0 }
}

// topUpURL is where clients whose balance is short are sent; empty is nowhere.
func (c *Config) topUpURL() string {
	if c.TopUpURL == "" && c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/") + "/billing"
	}
	return c.TopUpURL
}
