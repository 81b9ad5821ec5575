package money_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// Of two processes on one database, both would spend the same balance, or neither
// after the death of the one that kept it.
func TestLedgerChangesHands(t *testing.T) {
	rounds(t, 1)
	dsn := sluicetest.PrivatePostgres(t).DSN("postgres")
	s := play(t, setting{dsn: dsn})
	s.rich()
	opts := process.Options{Production: true, Dir: t.TempDir(), Env: append(secrets[:len(secrets):len(secrets)], "EZ_PG_DSN="+dsn)}
	other := newArchive(t, opts.Dir+"/data")
	second := process.Start(t, opts)
	other.link(t)
	ask := func(p *process.Process) receipt {
		o := s.order(plan{Chunks: 2})
		o.gateway = p.Gateway
		return s.callers.call(t.Context(), o)
	}
	within(t, 10*time.Second, "the second one knows the key", func() bool { return ask(second).status != 401 })
	if r := ask(second); r.status != 503 {
		t.Errorf("who does not keep the ledger answers %d %s", r.status, r.body)
	}
	stop := s.callers.load(t.Context(), 4, s.mixed)
	time.Sleep(300 * time.Millisecond)
	s.kill()
	stop()
	took := within(t, 30*time.Second, "the second one keeps the ledger", func() bool { return ask(second).status == 200 })
	second.Stop(t)
	s.start()
	s.awaitServing()
	freed := s.unheld()
	s.serve.Stop(t)
	s.judge(readBooks(t, s.store, s.archive, other))
	t.Logf("another process kept the ledger %s after a kill; back at the first, all was booked in %s", took.Round(time.Millisecond), freed.Round(time.Millisecond))
}
