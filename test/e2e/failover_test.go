package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// promotion bounds how long sentinels take to notice a dead master, agree and
// make a replica the next one.
const promotion = 20 * time.Second

// TestSentinelFailover kills the Redis master, for good, while both gateways
// serve. Losing this means that an installation that keeps a replica for this
// very case stands still, or has to be restarted, when it comes.
func TestSentinelFailover(t *testing.T) {
	long(t)
	t.Parallel()
	master := sluicetest.Redis(t)
	replica := sluicetest.RedisReplica(t, master)
	sentinels := sluicetest.Sentinels(t, 3, master)
	in := &installation{redis: master, dsn: sluicetest.Postgres(t).Schema(t)}
	redisAt := []string{"EZ_REDIS_ADDR=" + strings.Join(sentinels, ","), "SLUICE_REDIS_MASTER=" + sluicetest.SentinelMaster}
	in.env = secretsAnd(append(redisAt, "EZ_PG_DSN="+in.dsn)...)
	in.control = process.Start(t, process.Options{Command: "control", Production: true, Env: in.env})
	in.admin = in.control.Admin(t)
	in.seed(t)
	for i := range 2 {
		env := secretsAnd(append(redisAt, "SLUICE_CONTROL_URL="+in.control.Control, fmt.Sprintf("SLUICE_GATEWAY_NAME=gw-%d", i+1))...)
		in.gateways = append(in.gateways, process.Start(t, process.Options{Command: "gateway", Production: true, Env: env}))
	}
	in.awaitReady(t, in.gateways...)
	known, doomed := in.newKey(t, "known"), in.newKey(t, "doomed")
	within(t, convergence, "the keys work", func() bool {
		return serves(t, known.Token, in.gateways...) && serves(t, doomed.Token, in.gateways...)
	})

	load := startProbes(t, known.Token, in.gateways...)
	master.Stop(t, syscall.SIGKILL)
	killed := time.Now()
	meanwhile := in.changeMeanwhile(t, "no-master", doomed)
	within(t, promotion, "the replica is the master", replica.IsMaster)
	promoted := time.Now()
	in.redis = replica
	took := in.converge(t, promoted, in.gateways, meanwhile)
	in.agree(t, convergence, "gw-1", "gw-2")
	calls, failed := load.end()
	t.Logf("%d requests, %d failed; promoted %s after the kill, converged %s after that", calls, failed, promoted.Sub(killed).Round(time.Millisecond), took.Round(time.Millisecond))
	if failed > 0 || calls < 50 {
		t.Errorf("%d of %d requests failed", failed, calls)
	}
}

// TestPostgresFailover kills the primary, for good, while two writers change the
// configuration and gateways serve what costs money; the synchronous replica takes over.
// Losing this means that something that was acknowledged or delivered is
// forgotten, or that control has to be restarted.
func TestPostgresFailover(t *testing.T) {
	long(t)
	t.Parallel()
	primary := sluicetest.PrivatePostgres(t)
	standby := sluicetest.PostgresStandby(t, primary, true)
	in := &installation{postgres: primary, redis: sluicetest.Redis(t), dsn: primary.DSN("postgres")}
	either := fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d user=sluice dbname=postgres sslmode=disable target_session_attrs=read-write", primary.Port(), standby.Port())
	in.env = secretsAnd("EZ_REDIS_ADDR="+in.redis.Addr, "EZ_PG_DSN="+either)
	in.control = process.Start(t, process.Options{Command: "control", Production: true, Env: in.env})
	in.admin = in.control.Admin(t)
	in.seed(t)
	token := in.owingTenant(t)
	for i := range 2 {
		in.gateways = append(in.gateways, process.Start(t, in.gatewayOptions(fmt.Sprintf("gw-%d", i+1), "")))
	}
	in.awaitReady(t, in.gateways...)
	within(t, convergence, "the key works", func() bool { return serves(t, token, in.gateways...) })
	before := in.paid(t, token, 2)

	load := startProbes(t, token, in.gateways...)
	acknowledged := in.writeUntilItFails(t, func() { primary.Crash(t) })
	killed := time.Now()
	standby.Promote(t)
	promoted := time.Now()
	in.postgres, in.dsn = standby, standby.DSN("postgres")
	took := in.converge(t, promoted, in.gateways, acknowledged)
	in.agree(t, convergence, "gw-1", "gw-2")
	calls, failed := load.end()
	t.Logf("%d keys acknowledged; %d requests, %d failed; promoted %s after the kill, converged %s after that",
		len(acknowledged.made), calls, failed, promoted.Sub(killed).Round(time.Millisecond), took.Round(time.Millisecond))
	if failed > 0 || calls < 20 || len(acknowledged.made) == 0 {
		t.Errorf("%d of %d requests failed, %d keys were made", failed, calls, len(acknowledged.made))
	}
	in.checkBooks(t, before+int(calls))
}

// owingTenant makes a tenant that pays later, a price, and a key of it.
func (in *installation) owingTenant(t *testing.T) string {
	t.Helper()
	price := sluice.Price{Model: "demo-chat", Asset: "USD", Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 1_000_000_000, sluice.UnitOutput: 2_000_000_000}}
	if _, err := in.admin.CreatePrice(t.Context(), price, false); err != nil {
		t.Fatal(err)
	}
	return in.tenantKey(t, sluice.Tenant{Meta: sluice.Meta{Name: "owing"}, Spending: sluice.SpendingPostpaid, UnlimitedCredit: true})
}

// paid makes some more requests and returns how many of the tenant's are in the
// books once their number stands still: those that waited for the key count, too.
func (in *installation) paid(t *testing.T, token string, more int) int {
	t.Helper()
	for range more {
		if !serves(t, token, in.gateways...) {
			t.Fatal("a paid request fails")
		}
	}
	last, since := -1, time.Now()
	eventually(t, "the books stand still", func() bool {
		n, _ := in.billed(t, "owing")
		if n != last {
			last, since = n, time.Now()
		}
		return n > 0 && time.Since(since) > time.Second
	})
	return last
}

// writeUntilItFails makes keys through two writers, strikes in the middle of it,
// and returns what was acknowledged.
func (in *installation) writeUntilItFails(t *testing.T, strike func()) *changes {
	t.Helper()
	var mu sync.Mutex
	all := new(changes)
	ctx, cancel := context.WithTimeout(t.Context(), promotion)
	defer cancel()
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := 0; ; i++ {
				k, err := in.createKey(ctx, fmt.Sprintf("churn-%d-%d", w, i))
				if err != nil {
					return
				}
				mu.Lock()
				all.made = append(all.made, k.Token)
				mu.Unlock()
			}
		})
	}
	within(t, promotion, "keys are made", func() bool { mu.Lock(); defer mu.Unlock(); return len(all.made) >= 20 })
	strike()
	cancel()
	writers.Wait()
	return all
}

// checkBooks waits until the journals of both gateways are in the books, and
// compares records and ledger with what was answered.
func (in *installation) checkBooks(t *testing.T, answers int) {
	t.Helper()
	within(t, 15*time.Second, "control keeps the ledger again", func() bool { return metric(t, in.control, "sluice_ledger_owner") == 1 })
	n, cost := 0, sluice.Nanos(0)
	within(t, 15*time.Second, "every answer is in the books", func() bool {
		n, cost = in.billed(t, "owing")
		return n >= answers
	})
	wallet := in.walletOf(t, "owing")
	if n != answers || wallet != -cost {
		t.Errorf("%d answers, %d records for %s, the ledger has %s", answers, n, cost, wallet)
	}
	for _, g := range in.gateways {
		within(t, convergence, "the journal is shipped", func() bool { return metric(t, g, "sluice_journal_oldest_unshipped_seconds") == 0 })
	}
	if a := do(t, "GET", in.control.Control+"/admin/v1/ledger/invariants", in.token(t), ""); a.status != http.StatusOK {
		t.Errorf("the invariants: %d %s", a.status, a.body)
	}
}

// walletOf is what a tenant's only wallet has posted.
func (in *installation) walletOf(t *testing.T, tenant string) sluice.Nanos {
	t.Helper()
	balances, err := in.admin.Balance(t.Context(), sluice.BalanceQuery{WalletOwner: sluice.WalletOwner{Tenant: tenant}})
	if err != nil || len(balances.Wallets) != 1 {
		t.Fatalf("balance of %s: %+v %v", tenant, balances, err)
	}
	return balances.Wallets[0].Posted
}
