package money_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/test/process"
)

const (
	asset  = "USD"
	tenant = "acme"
)

// The price of the model, in nano-units a token. An output token costs more than
// any prompt can, so that the amount of a hold tells its max_tokens; and no sum
// of one can be taken for a sum of the other.
const (
	perInput  = sluice.Nanos(1_000)
	perOutput = sluice.Nanos(10_000_019)
)

func priceOf(input, output int64) sluice.Nanos {
	return sluice.Nanos(input)*perInput + sluice.Nanos(output)*perOutput
}

// terms are how the tenant pays.
type terms func(*sluice.Tenant)

func strict(t *sluice.Tenant) { t.Spending = sluice.SpendingPrepaid }

func fast(t *sluice.Tenant) {
	t.Spending, t.Durability = sluice.SpendingPostpaid, sluice.DurabilityFast
	t.CreditLimit = &sluice.Money{Amount: 900_000_000 * sluice.NanosPerUnit, Asset: asset}
}

func unlimited(t *sluice.Tenant) {
	t.Spending, t.UnlimitedCredit, t.Durability = sluice.SpendingPostpaid, true, sluice.DurabilityStrict
}

// drains has providers read on for clients that hung up.
func drains(p *sluice.Provider) { p.OnClientGone = sluice.GoneDrain }

// scene is `sluice serve` with a tenant that pays for one model of one upstream
// that keeps its own log.
type scene struct {
	*testing.T
	till    *till
	callers *callers
	serve   *process.Process
	opts    process.Options
	archive *archive
	store   store.Config
	admin   *client.Client
	token   string
	paid    int
}

// secrets are what production needs; tests of money leave --dev out, whose demo
// tenant spends beside ours.
var secrets = []string{
	"SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b",
	"SLUICE_JWT_SECRET=q8R7mN2pL5xK9wZ3vB6tY1cF4hJ0sD8a", "SLUICE_PRE_STOP=0s", "SLUICE_LOG_FLUSH_MS=100",
}

// setting is how a scene differs from `sluice serve` on SQLite with a prepaid
// tenant.
type setting struct {
	terms    terms
	provider func(*sluice.Provider)
	env      []string
	dsn      string // PostgreSQL instead of SQLite
	dir      string // the working folder
}

// play starts a scene.
func play(t *testing.T, cfg setting) *scene {
	t.Helper()
	if cfg.dir == "" {
		cfg.dir = t.TempDir()
	}
	s := &scene{T: t, till: newTill(t), callers: newCallers()}
	s.opts = process.Options{Dir: cfg.dir, Production: true, Env: append(secrets[:len(secrets):len(secrets)], cfg.env...)}
	s.store = store.Config{Path: filepath.Join(cfg.dir, "data", "sluice.db")}
	if cfg.dsn != "" {
		s.opts.Env = append(s.opts.Env, "EZ_PG_DSN="+cfg.dsn)
		s.store = store.Config{DSN: cfg.dsn}
	}
	s.archive = newArchive(t, filepath.Join(cfg.dir, "data"))
	s.start()
	s.admin = s.serve.Admin(t)
	if cfg.terms == nil {
		cfg.terms = strict
	}
	s.token = seed(t, s.admin, s.till.URL, cfg.terms, cfg.provider)
	return s
}

// start starts the process, again after it has ended; the journal of the one
// before is archived first.
func (s *scene) start() {
	s.Helper()
	s.archive.link(s.T)
	s.serve = process.Start(s.T, s.opts)
	s.archive.link(s.T)
	if s.admin != nil {
		s.admin = s.serve.SignIn(s.T) // it has another port now
	}
}

// kill ends the process with SIGKILL.
func (s *scene) kill() { s.serve.Kill(); s.archive.link(s.T) }

// seed makes a tenant, its price, its upstream and its key, and returns the key.
func seed(t *testing.T, admin *client.Client, upstream string, terms terms, change func(*sluice.Provider)) (token string) {
	t.Helper()
	ctx, none := t.Context(), sluice.WriteOptions{}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	provider := sluice.Provider{Meta: sluice.Meta{Name: "till"}, Type: "openai", BaseURL: upstream + "/v1", APIKey: "sk-test", Models: []string{"m"}}
	if change != nil {
		change(&provider)
	}
	_, err := admin.Providers().Create(ctx, provider, none)
	must("provider", err)
	_, err = admin.Models().Create(ctx, sluice.Model{Meta: sluice.Meta{Name: "m"}}, none)
	must("model", err)
	_, err = admin.CreatePrice(ctx, sluice.Price{Model: "m", Asset: asset, Rates: map[sluice.Unit]sluice.Rate{
		sluice.UnitInput: sluice.Rate(perInput) * 1_000_000, sluice.UnitOutput: sluice.Rate(perOutput) * 1_000_000}}, false)
	must("price", err)
	acme := sluice.Tenant{Meta: sluice.Meta{Name: tenant}}
	terms(&acme)
	_, err = admin.Tenants().Create(ctx, acme, none)
	must("tenant", err)
	_, err = admin.Users().Create(ctx, sluice.User{Meta: sluice.Meta{Name: "u", Tenant: tenant}, Email: "u@example.com"}, none)
	must("user", err)
	key, err := admin.Keys().Create(ctx, sluice.Key{Meta: sluice.Meta{Name: "k", Tenant: tenant}, User: "u", RPM: new(int64(0)), TPM: new(int64(0))}, none)
	must("key", err)
	return key.Token
}

// topUp pays into the tenant's wallet.
func (s *scene) topUp(amount sluice.Nanos) {
	s.Helper()
	s.paid++
	topUp(s.T, s.admin, fmt.Sprintf("payment-%d", s.paid), amount)
}

func topUp(t *testing.T, admin *client.Client, id string, amount sluice.Nanos) {
	t.Helper()
	p := sluice.Payment{ID: id, WalletOwner: sluice.WalletOwner{Tenant: tenant}, Amount: amount, Asset: asset}
	if _, _, err := admin.TopUp(t.Context(), p, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// pending is what is held of the tenant's wallet.
func (s *scene) pending() sluice.Nanos { s.Helper(); return pending(s.T, s.admin) }

func pending(t *testing.T, admin *client.Client) (held sluice.Nanos) {
	t.Helper()
	b, err := admin.Balance(t.Context(), sluice.BalanceQuery{WalletOwner: sluice.WalletOwner{Tenant: tenant}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range b.Wallets {
		held += w.Held
	}
	return held
}

// rich tops up what no test spends.
func (s *scene) rich() { s.Helper(); s.topUp(900_000_000 * sluice.NanosPerUnit) }

// order is a call to the scene's gateway.
func (s *scene) order(p plan) order { return order{gateway: s.serve.Gateway, token: s.token, plan: p} }

// awaitServing waits until a new call is answered.
func (s *scene) awaitServing() time.Duration {
	s.Helper()
	return within(s.T, 30*time.Second, "a call is answered", func() bool {
		return s.callers.call(s.Context(), s.order(plan{Chunks: 1})).status == 200
	})
}

// close stops the process in good order and holds the books against each other.
func (s *scene) close() (*books, figures) {
	s.Helper()
	s.serve.Stop(s.T)
	b := readBooks(s.T, s.store, s.archive)
	return b, s.judge(b)
}

// judge reports everything in which the books differ.
func (s *scene) judge(b *books) figures {
	s.Helper()
	f := b.audit(s.till.all(), s.callers.all())
	report(s.T, b, f)
	verifyOffline(s.T, s.opts, s.archive)
	return f
}

// report fails the test for each problem, the first of them in full.
func report(t *testing.T, b *books, f figures) {
	t.Helper()
	for i, p := range f.problems {
		if i == 20 {
			t.Errorf("... and %d more", len(f.problems)-i)
			break
		}
		t.Error(p)
	}
	if b.lost > 0 || len(b.damage) > 0 {
		t.Errorf("the journal lost %d runs of entries: %+v", b.lost, b.damage)
	}
	t.Logf("%d calls, %d answered whole, %d reached the upstream; %d charged %s in all, %d free, %d ended by a crash (at most %d tokens of one unpaid); %d transfers",
		f.calls, f.answered, f.arrived, f.charged, f.spent, f.free, f.crashed, f.short, len(b.transfers))
}

// verifyOffline has the product prove its own ledger, by all of the journal.
func verifyOffline(t *testing.T, opts process.Options, a *archive) {
	t.Helper()
	if out, status := process.Run(t, opts, "ledger", "verify", "--journal", a.to); status != 0 {
		t.Errorf("sluice ledger verify ends with %d:\n%s", status, out)
	}
}
