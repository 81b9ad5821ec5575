package money_test

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/test/process"
)

// together is what processes of one installation share.
var together = append(secrets[:len(secrets):len(secrets)], "SLUICE_PLANE_TOKEN=k3J9xQ2mW7vB5nR8tY4cL6pZ")

// member is one process of several on one database, and its journal.
type member struct {
	*process.Process
	opts    process.Options
	archive *archive // nil where it has no gateway
}

// enlist starts a process in a folder of its own.
func enlist(t *testing.T, command string, env ...string) *member {
	t.Helper()
	m := &member{opts: process.Options{Command: command, Production: true, Dir: t.TempDir(), Env: append(together[:len(together):len(together)], env...)}}
	if command != "control" {
		m.archive = newArchive(t, filepath.Join(m.opts.Dir, "data"))
	}
	m.start(t)
	return m
}

// start starts it, again after it has ended.
func (m *member) start(t *testing.T) {
	t.Helper()
	if m.archive != nil {
		m.archive.link(t)
		defer m.archive.link(t)
	}
	m.Process = process.Start(t, m.opts)
}

// keeps reports whether a process keeps the ledger.
func (m *member) keeps(t *testing.T) bool {
	t.Helper()
	resp, err := http.Get(m.Status + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), "\nsluice_ledger_owner 1")
}

// several is an installation of several processes on one PostgreSQL: controls[0]
// keeps the ledger at first.
type several struct {
	*scene
	controls, gateways []*member
	turn               atomic.Int64 // whose the next call is
}

// found makes the tenant and its money by whichever control is asked.
func (s *several) found(dsn string) {
	s.Helper()
	s.store = store.Config{DSN: dsn}
	s.opts = s.controls[0].opts
	s.controls[1].SetUp(s.T) // whose link is the latest
	s.admin = s.controls[0].SignIn(s.T)
	s.token = seed(s.T, s.admin, s.till.URL, strict, nil)
	if !s.controls[0].keeps(s.T) || s.controls[1].keeps(s.T) {
		s.Fatal("the first one does not keep the ledger, or the second does")
	}
}

// at is a mixed call to one of the gateways, by turns.
func (s *several) at() order {
	o := s.mixed()
	o.gateway = s.gateways[int(s.turn.Add(1))%len(s.gateways)].Gateway
	return o
}

// ask makes one call at a gateway and returns its status.
func (s *several) ask(g *member) int {
	o := s.order(plan{Chunks: 2})
	o.gateway = g.Gateway
	return s.callers.call(s.Context(), o).status
}

// payBy has a control that does not keep the ledger move money in every way, and
// holds its answers against those of the one that does.
func (s *several) payBy(other *client.Client) {
	s.Helper()
	ctx, none := s.Context(), sluice.WriteOptions{}
	acme := sluice.WalletOwner{Tenant: tenant}
	must := func(what string, err error) {
		s.Helper()
		if err != nil {
			s.Fatalf("%s by the other control: %v", what, err)
		}
	}
	topUp(s.T, other, "by-the-other", 900_000_000*sluice.NanosPerUnit)
	if _, created, err := s.admin.TopUp(ctx, sluice.Payment{ID: "by-the-other", WalletOwner: acme, Amount: 900_000_000 * sluice.NanosPerUnit, Asset: asset}, none); err != nil || created {
		s.Errorf("the same top-up again by the keeper: created %t, %v", created, err)
	}
	_, _, err := other.TopUp(ctx, sluice.Payment{ID: "by-the-other", WalletOwner: acme, Amount: 5, Asset: asset}, none)
	if sluice.CodeOf(err) != sluice.CodeConflict {
		s.Errorf("another top-up under the same id: %v", err)
	}
	_, _, err = other.Grant(ctx, sluice.Payment{ID: "gift", WalletOwner: acme, Amount: 7 * sluice.NanosPerUnit, Asset: asset}, none)
	must("a grant", err)
	_, _, err = other.Adjust(ctx, sluice.Payment{ID: "back", WalletOwner: acme, Amount: -2 * sluice.NanosPerUnit, Asset: asset}, none)
	must("an adjustment", err)
	here, err := s.admin.Balance(ctx, sluice.BalanceQuery{WalletOwner: acme})
	must("a balance", err)
	there, err := other.Balance(ctx, sluice.BalanceQuery{WalletOwner: acme})
	must("a balance", err)
	want := sluice.Nanos(900_000_005 * sluice.NanosPerUnit)
	if len(there.Wallets) != 1 || *there.Wallets[0].Available != want || *here.Wallets[0].Available != want {
		s.Errorf("the keeper has %+v, the other says %+v", here, there)
	}
}

// members are all processes, those with a gateway first.
func (s *several) members() []*member {
	list := slices.Clone(s.gateways)
	for _, c := range s.controls {
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// judged waits until all is booked, stops everything, the keeper last, and holds
// the books against each other.
func (s *several) judged(admin *client.Client) figures {
	s.Helper()
	took := within(s.T, freed, "all holds are freed", func() bool { return pending(s.T, admin) == 0 })
	s.Logf("all was booked %s after the last call", took.Round(time.Millisecond))
	var last *member
	for _, m := range s.members() {
		if m.Control != "" && m.keeps(s.T) {
			last = m
			continue
		}
		m.Stop(s.T)
	}
	last.Stop(s.T)
	var archives []*archive
	for _, g := range s.gateways {
		archives = append(archives, g.archive)
	}
	s.archive = archives[0]
	return s.judge(readBooks(s.T, s.store, archives...))
}

// Behind one address, every second client would be refused: of two processes on
// one database both serve tenants with a balance, both take payments, and the
// ledger survives the death of the one that keeps it.
func TestTwoServes(t *testing.T) {
	kills := max(1, rounds(t, 1)/20)
	dsn := sluicetest.PrivatePostgres(t).DSN("postgres")
	s := &several{scene: &scene{T: t, till: newTill(t), callers: newCallers(), serve: new(process.Process)}}
	for range 2 {
		s.controls = append(s.controls, enlist(t, "serve", "EZ_PG_DSN="+dsn))
	}
	s.gateways = s.controls
	s.found(dsn)
	s.payBy(s.controls[1].SignIn(t))
	for _, g := range s.gateways {
		within(t, 30*time.Second, "it serves whose spending has a limit", func() bool { return s.ask(g) == 200 })
	}
	for range kills {
		keeper, other := s.controls[0], s.controls[1]
		if other.keeps(t) {
			keeper, other = other, keeper
		}
		before := len(s.callers.all())
		stop := s.callers.load(t.Context(), 6, s.at)
		time.Sleep(time.Second)
		if list := failed(s.callers.all()[before:]); len(list) > 0 {
			t.Errorf("%d calls failed while both ran: %+v", len(list), list[0])
		}
		keeper.Kill()
		stop()
		took := within(t, 30*time.Second, "the other one keeps the ledger", func() bool { return s.ask(other) == 200 })
		keeper.start(t)
		within(t, 30*time.Second, "the first one serves again", func() bool { return s.ask(keeper) == 200 })
		if keeper.keeps(t) || !other.keeps(t) {
			t.Error("the ledger changed hands without need")
		}
		t.Logf("the other one served %s after the keeper was killed", took.Round(10*time.Millisecond))
		stop = s.callers.load(t.Context(), 6, s.at)
		time.Sleep(500 * time.Millisecond)
		stop()
	}
	f := s.judged(s.controls[1].SignIn(t))
	if f.answered < 50 || f.short > mostUnpaid {
		t.Errorf("%+v", f)
	}
}

// Gateways of several controls would be served by one control only: each is told
// of another one, the one that keeps the ledger is killed, and all of it is booked.
func TestTwoControlsOneLedger(t *testing.T) {
	kills := max(1, rounds(t, 1)/20)
	dsn, redis := sluicetest.PrivatePostgres(t).DSN("postgres"), "EZ_REDIS_ADDR="+sluicetest.Redis(t).Addr
	s := &several{scene: &scene{T: t, till: newTill(t), callers: newCallers(), serve: new(process.Process)}}
	var cables []*sluicetest.Cable
	lead := func(i int) { cables[i].To(strings.TrimPrefix(s.controls[i].Control, "http://")) }
	for i := range 2 {
		s.controls = append(s.controls, enlist(t, "control", redis, "EZ_PG_DSN="+dsn))
		cables = append(cables, sluicetest.NewCable(t, ""))
		lead(i)
	}
	s.found(dsn)
	s.payBy(s.controls[1].SignIn(t))
	for i, name := range []string{"gw-1", "gw-2"} {
		s.gateways = append(s.gateways, enlist(t, "gateway", redis, "SLUICE_GATEWAY_NAME="+name, "SLUICE_CONTROL_URL=http://"+cables[i].Addr()))
	}
	for _, g := range s.gateways {
		within(t, 30*time.Second, "it serves whose spending has a limit", func() bool { return s.ask(g) == 200 })
	}
	for range kills {
		keeper, other := 0, 1
		if s.controls[1].keeps(t) {
			keeper, other = 1, 0
		}
		before := len(s.callers.all())
		stop := s.callers.load(t.Context(), 6, s.at)
		time.Sleep(time.Second)
		if list := failed(s.callers.all()[before:]); len(list) > 0 {
			t.Errorf("%d calls failed while all ran: %+v", len(list), list[0])
		}
		s.controls[keeper].Kill()
		took := within(t, 30*time.Second, "a gateway of the other one serves", func() bool { return s.ask(s.gateways[other]) == 200 })
		s.controls[keeper].start(t)
		lead(keeper)
		within(t, 30*time.Second, "the gateway of the killed one serves", func() bool { return s.ask(s.gateways[keeper]) == 200 })
		stop()
		t.Logf("spending with a limit went on %s after the keeper was killed", took.Round(10*time.Millisecond))
	}
	f := s.judged(s.controls[1].SignIn(t))
	if f.crashed > 0 || f.answered < 50 {
		t.Errorf("%+v", f)
	}
}
