package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// Losing this means that requests through a gateway of its own are free, or are
// charged twice when a process of the installation dies: a tenant with unlimited
// credit is charged once for each answer, whoever is killed in between, and one
// whose spending has a limit is told why it is not served, by whoever can tell.
func TestSplitChargesOnce(t *testing.T) {
	in := installCabled(t)
	price := sluice.Price{Model: "demo-chat", Asset: "USD", Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 1_000_000_000, sluice.UnitOutput: 2_000_000_000}}
	if _, err := in.admin.CreatePrice(t.Context(), price, false); err != nil {
		t.Fatal(err)
	}
	owing := in.tenantKey(t, sluice.Tenant{Meta: sluice.Meta{Name: "owing"}, Spending: sluice.SpendingPostpaid, UnlimitedCredit: true})
	limited := in.tenantKey(t, sluice.Tenant{Meta: sluice.Meta{Name: "limited"}})
	within(t, convergence, "the keys work", func() bool {
		a := chat(t, in.gateways[0], limited)
		return a.status != http.StatusUnauthorized && a.status != http.StatusForbidden
	})

	if a := chat(t, in.gateways[0], limited); a.status != http.StatusPaymentRequired || !strings.Contains(a.body, `"code":"BILLING_001"`) {
		t.Errorf("spending with a limit and without money: %d %s", a.status, a.body)
	}

	served := 0
	ask := func(n int) {
		t.Helper()
		for range n {
			if a := chat(t, in.gateways[0], owing); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
			served++
		}
	}
	within(t, convergence, "the other key works", func() bool {
		ok := chat(t, in.gateways[0], owing).status == http.StatusOK
		served += oneFor(ok)
		return ok
	})
	ask(5)
	in.gateways[0].Kill()
	in.startGateway(t, 0)
	in.awaitReady(t, in.gateways[0])
	ask(5)
	in.control.Kill()
	ask(5) // control is away: the journal keeps them
	if a := chat(t, in.gateways[0], limited); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" ||
		!strings.Contains(a.body, `"code":"COMMON_004"`) || !strings.Contains(a.body, "balance") {
		t.Errorf("spending with a limit while nobody keeps the balance: %d %s", a.status, a.body)
	}
	in.startControl(t)
	ask(5)
	in.gateways[0].Kill()
	in.startGateway(t, 0)

	eventually(t, "every answer has a record", func() bool { n, _ := in.billed(t, "owing"); return n >= served })
	n, cost := in.billed(t, "owing")
	if n != served || cost == 0 {
		t.Errorf("%d records cost %s, %d answers were given", n, cost, served)
	}
	balances, err := in.admin.Balance(t.Context(), sluice.BalanceQuery{WalletOwner: sluice.WalletOwner{Tenant: "owing"}})
	if err != nil || len(balances.Wallets) != 1 || balances.Wallets[0].Posted != -cost {
		t.Errorf("the ledger has %+v, the records cost %s: %v", balances, cost, err)
	}
	if n, _ := in.billed(t, "limited"); n != 0 {
		t.Errorf("%d requests of the other tenant were charged", n)
	}
}

func oneFor(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// tenantKey makes a tenant and returns the token of a key of it.
func (in *installation) tenantKey(t *testing.T, tenant sluice.Tenant) string {
	t.Helper()
	if _, err := in.admin.Tenants().Create(t.Context(), tenant, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	user := sluice.User{Meta: sluice.Meta{Name: "u", Tenant: tenant.Name}, Email: "u@" + tenant.Name + ".example", Password: "a long password"}
	if _, err := in.admin.Users().Create(t.Context(), user, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	mine := sluice.Key{Meta: sluice.Meta{Name: "k", Tenant: tenant.Name}, User: "u", RPM: new(int64(1_000_000)), TPM: new(int64(1_000_000_000))}
	key, err := in.admin.Keys().Create(t.Context(), mine, sluice.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return key.Token
}

// billed is how many requests of a tenant cost something, and how much together.
func (in *installation) billed(t *testing.T, tenant string) (n int, cost sluice.Nanos) {
	t.Helper()
	for query := (sluice.RecordQuery{Tenant: tenant, Limit: 500}); ; {
		page, err := in.admin.Records(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			if r.Cost.Amount > 0 {
				n++
				cost += r.Cost.Amount
			}
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return n, cost
		}
	}
}
