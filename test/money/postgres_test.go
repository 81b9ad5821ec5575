package money_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// failed are calls that were not answered with 200 and a whole answer.
func failed(receipts []receipt) (list []receipt) {
	for _, r := range receipts {
		if r.status != 200 || !r.last {
			list = append(list, r)
		}
	}
	return list
}

// noneFailed fails the test for calls that a client would have noticed.
func (s *scene) noneFailed() {
	s.Helper()
	all := s.callers.all()
	list := failed(all)
	s.Logf("%d of %d calls failed", len(list), len(all))
	for i, r := range list {
		s.Errorf("%+v", r)
		if i == 4 {
			return
		}
	}
}

// A crash of the system of record would reach clients, or lose or double what was
// charged meanwhile (E-13).
func TestPostgresKilled(t *testing.T) {
	crashes := max(2, rounds(t, 1)/20)
	postgres := sluicetest.PrivatePostgres(t)
	// The lease is longer than a slow machine takes to start the server.
	s := play(t, setting{dsn: postgres.DSN("postgres"), env: []string{"SLUICE_LEDGER_LEASE=2m"}})
	s.rich()
	s.without(postgres, crashes, 500*time.Millisecond)
}

// One that is away for longer than the lease of the ledger would end the service
// of those whose credit has no limit, too: nobody has to decide about them. Where
// no other process waits for the ledger, a long lease is for everybody.
func TestPostgresAway(t *testing.T) {
	for _, c := range []struct {
		name  string
		terms terms
		env   []string
	}{{"unlimited credit", unlimited, nil}, {"a balance, by a long lease", strict, []string{"SLUICE_LEDGER_LEASE=15m"}}} {
		t.Run(c.name, func(t *testing.T) {
			rounds(t, 1)
			if long() {
				t.Parallel() // rounds does it otherwise
			}
			postgres := sluicetest.PrivatePostgres(t)
			s := play(t, setting{terms: c.terms, dsn: postgres.DSN("postgres"), env: c.env})
			s.rich()
			s.without(postgres, 1, max(outage(t), 8*time.Second))
		})
	}
}

// without takes the database away under load, several times, and expects no call
// to notice.
func (s *scene) without(postgres *sluicetest.PostgresServer, times int, away time.Duration) {
	s.Helper()
	s.awaitServing()
	stop := s.callers.load(s.Context(), 8, s.mixed)
	for range times {
		time.Sleep(500 * time.Millisecond)
		postgres.Crash(s.T)
		time.Sleep(away)
		postgres.Start(s.T)
	}
	time.Sleep(500 * time.Millisecond)
	stop()
	settled := s.unheld()
	_, f := s.close()
	s.Logf("PostgreSQL crashed %d times and was away for %s each; all was booked %s after the last call", times, away, settled.Round(time.Millisecond))
	s.noneFailed()
	if f.crashed > 0 {
		s.Errorf("%d endings are a crash's", f.crashed)
	}
}

// Writers that keep each other from committing would reach the data plane or the
// ledger (E-14).
func TestPostgresStorm(t *testing.T) {
	lasts := 2 * time.Second
	if rounds(t, 1); long() {
		lasts = time.Minute
	}
	dsn := sluicetest.PrivatePostgres(t).DSN("postgres")
	s := play(t, setting{dsn: dsn})
	s.rich()
	second := process.Start(t, process.Options{Production: true, Env: append(secrets[:len(secrets):len(secrets)], "EZ_PG_DSN="+dsn)})
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var writes, conflicts atomic.Int64
	var storm sync.WaitGroup
	for i := range 6 {
		admin := s.admin
		if i%2 == 1 {
			admin = second.SignIn(t)
		}
		storm.Go(func() { churn(ctx, admin, &writes, &conflicts) })
	}
	stop := s.callers.load(t.Context(), 8, s.mixed)
	storm.Wait()
	stop()
	second.Stop(t)
	s.close()
	t.Logf("%d writes beside the ledger by two processes, %d refused", writes.Load(), conflicts.Load())
	s.noneFailed()
	if writes.Load() < 20 {
		t.Error("hardly a storm")
	}
}

// churn changes the same few objects as everybody else.
func churn(ctx context.Context, admin *client.Client, writes, conflicts *atomic.Int64) {
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("m-%d", n%3)
		m := sluice.Model{Meta: sluice.Meta{Name: name}, ContextWindow: int64(n + 1)}
		if _, _, err := admin.Models().Put(ctx, sluice.PlatformTenant, name, m, sluice.WriteOptions{}); err != nil {
			conflicts.Add(1)
			continue
		}
		writes.Add(1)
	}
}
