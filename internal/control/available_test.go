package control_test

import (
	"encoding/json"
	"testing"

	"github.com/sluicegate/sluice"
)

// Lost if it fails: a credit limit that was just raised, or given to who has spent
// nothing yet, does not show in what may be spent, or one that was lowered still
// does, until the next request.
func TestAvailableFollowsTheTerms(t *testing.T) {
	p, books, root := shakyPlane(t)
	acme := sluice.WalletOwner{Tenant: "acme"}
	none := sluice.WriteOptions{}
	available := func(asset string) sluice.Nanos {
		t.Helper()
		b, err := root.Balance(t.Context(), sluice.BalanceQuery{WalletOwner: acme, Asset: asset})
		must(t, err)
		if len(b.Wallets) != 1 || b.Wallets[0].Available == nil {
			t.Fatalf("the balance is %+v", b)
		}
		return *b.Wallets[0].Available
	}
	terms := func(text string) {
		t.Helper()
		_, err := root.Tenants().Patch(t.Context(), "", "acme", json.RawMessage(text), none)
		must(t, err)
	}
	prepaid := `{"spending":"prepaid","credit_limit":null,"unlimited_credit":false}`
	credit := `{"spending":"postpaid","credit_limit":{"amount":"100","asset":"USD"},"unlimited_credit":false}`
	terms(credit)
	if got := available("USD"); got != 100*usd {
		t.Errorf("who has never spent may spend %s", got)
	}
	terms(prepaid)
	_, _, err := root.TopUp(t.Context(), sluice.Payment{ID: "t", WalletOwner: acme, Amount: 5 * usd, Asset: "USD"}, none)
	must(t, err)
	for _, c := range []struct {
		terms string
		want  sluice.Nanos
	}{{prepaid, 5 * usd}, {credit, 105 * usd}, {prepaid, 5 * usd}} {
		terms(c.terms)
		for _, elsewhere := range []bool{false, true} { // in memory, and as another process has stored it
			books.lost.Store(elsewhere)
			if got := available("USD"); got != c.want {
				t.Errorf("by %s %s may be spent, want %s; elsewhere %t", c.terms, got, c.want, elsewhere)
			}
			books.lost.Store(false)
		}
	}
	hold := sluice.Hold{Request: sluice.RequestID{7}, Wallet: sluice.TenantWallet("acme", "USD"), Amount: 2 * usd, Deadline: p.clock.Now().Add(maxGuessing)}
	must(t, books.Book().Hold(hold, p.clock.Now()))
	terms(credit)
	if got := available("USD"); got != 103*usd {
		t.Errorf("beside what a request holds %s may be spent", got)
	}
}
