package control_test

import (
	"encoding/json"
	"testing"

	"github.com/sluicegate/sluice"
)

// Lost if it fails: a tenant's admin gives the tenant credit, or lets the house
// pay.
func TestTermsOfPaymentAreThePlatforms(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	none := sluice.WriteOptions{}
	boss := p.As(p.user("acme", "boss", sluice.RoleTenantAdmin)).Tenants()
	deputy := p.As(p.user(sluice.PlatformTenant, "deputy", sluice.RoleTenantAdmin)).Tenants()
	root := p.As(p.user(sluice.PlatformTenant, "root", sluice.RolePlatformAdmin)).Tenants()
	for patch, field := range map[string]string{
		`{"spending":"postpaid","unlimited_credit":true}`: "/spending",
		`{"credit_limit":{"amount":"5","asset":"USD"}}`:   "/credit_limit",
		`{"unlimited_credit":true}`:                       "/unlimited_credit",
		`{"debt_forbidden":true}`:                         "/debt_forbidden",
		`{"durability":"fast"}`:                           "/durability",
		`{"description":"x"}`:                             "",
	} {
		_, err := boss.Patch(t.Context(), "", "acme", json.RawMessage(patch), none)
		if wants(t, err, sluice.CodeForbidden, patch); err != nil && sluice.AsError(err).Field != field {
			t.Errorf("%s blames %q, want %q", patch, sluice.AsError(err).Field, field)
		}
	}
	_, err := deputy.Patch(t.Context(), "", "platform", json.RawMessage(`{"debt_forbidden":true}`), none)
	wants(t, err, sluice.CodeForbidden, "a tenant admin of the platform")
	_, err = deputy.Patch(t.Context(), "", "acme", json.RawMessage(`{"debt_forbidden":true}`), none)
	wants(t, err, sluice.CodeNotFound, "another tenant")
	_, err = boss.Create(t.Context(), sluice.Tenant{Meta: named("", "mine"), Spending: sluice.SpendingPostpaid, UnlimitedCredit: true}, none)
	wants(t, err, sluice.CodeNotFound, "a tenant of one's own")
	got, err := root.Patch(t.Context(), "", "acme", json.RawMessage(`{"spending":"postpaid","credit_limit":{"amount":"5","asset":"USD"}}`), none)
	if err != nil || got.CreditLimit == nil || got.CreditLimit.Amount != 5*sluice.NanosPerUnit {
		t.Errorf("a platform admin makes %+v, %v", got, err)
	}
}

// Lost if it fails: who holds a capped key lifts the cap, or spends the tenant's
// money with a key that was given its own.
func TestOwnersKeepTheirKeysCaps(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	none := sluice.WriteOptions{}
	dev := p.As(p.user("acme", "dev", sluice.RoleDeveloper)).Keys()
	boss := p.As(p.user("acme", "boss", sluice.RoleTenantAdmin)).Keys()
	day := sluice.SpendingCap{Period: "day", Limit: sluice.Money{Amount: 5 * sluice.NanosPerUnit, Asset: "USD"}}
	_, err := boss.Create(t.Context(), sluice.Key{Meta: named("acme", "capped"), User: "dev", Wallet: sluice.WalletUser, Caps: []sluice.SpendingCap{day}}, none)
	must(t, err)
	for patch, field := range map[string]string{
		`{"wallet":"tenant"}`: "/wallet", `{"wallet":null}`: "/wallet", `{"caps":null}`: "/caps", `{"caps":[]}`: "/caps",
		`{"caps":[{"period":"day","limit":{"amount":"5.000000001","asset":"USD"}}]}`:       "/caps",
		`{"caps":[{"period":"day","limit":{"amount":"1","asset":"EUR"}}]}`:                 "/caps",
		`{"caps":[{"period":"month","limit":{"amount":"1","asset":"USD"}}]}`:               "/caps",
		`{"caps":[{"period":"total","limit":{"amount":"5000","asset":"USD"}}]}`:            "/caps",
		`{"wallet":"key","caps":[{"period":"week","limit":{"amount":"1","asset":"USD"}}]}`: "/caps",
	} {
		_, err := dev.Patch(t.Context(), "", "capped", json.RawMessage(patch), none)
		if wants(t, err, sluice.CodeForbidden, patch); err != nil && sluice.AsError(err).Field != field {
			t.Errorf("%s blames %s", patch, sluice.AsError(err).Field)
		}
	}
	tighter := `{"wallet":"key","caps":[{"period":"day","limit":{"amount":"4","asset":"USD"}},{"period":"total","limit":{"amount":"9","asset":"USD"}}]}`
	_, err = dev.Patch(t.Context(), "", "capped", json.RawMessage(tighter), none)
	must(t, err)
	_, err = boss.Patch(t.Context(), "", "capped", json.RawMessage(`{"wallet":"tenant","caps":null}`), none)
	must(t, err)
	_, err = dev.Create(t.Context(), sluice.Key{Wallet: sluice.WalletUser, Caps: []sluice.SpendingCap{day}}, none)
	must(t, err)
}
