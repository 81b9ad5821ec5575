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
	crashes, away := 2, 500*time.Millisecond
	if n := rounds(t, 1); long() {
		crashes, away = max(2, n/20), 10*time.Second
	}
	postgres := sluicetest.PrivatePostgres(t)
	s := play(t, setting{dsn: postgres.DSN("postgres")})
	s.rich()
	stop := s.callers.load(t.Context(), 8, s.mixed)
	crash := func(away time.Duration) {
		time.Sleep(500 * time.Millisecond)
		postgres.Crash(t)
		time.Sleep(away)
		postgres.Start(t)
	}
	for range crashes {
		crash(away)
	}
	if long() {
		crash(outage(t))
	}
	time.Sleep(500 * time.Millisecond)
	stop()
	settled := s.unheld()
	_, f := s.close()
	t.Logf("PostgreSQL crashed %d times and was away for %s each, then for %s; all was booked %s after the last call", crashes, away, outage(t), settled.Round(time.Millisecond))
	s.noneFailed()
	if f.crashed > 0 {
		t.Errorf("%d endings are a crash's", f.crashed)
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
