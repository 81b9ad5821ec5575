package money_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
)

// segments are the files of the scene's journal, the oldest first.
func (s *scene) segments() []string {
	s.Helper()
	names, err := filepath.Glob(filepath.Join(s.archive.from, "*"))
	if err != nil || len(names) == 0 {
		s.Fatalf("the journal has no segment: %v", err)
	}
	slices.Sort(names)
	return names
}

// damaged has a process die under load, damages its journal, and starts the next
// one on it. A process that does not start fails the test.
func (s *scene) damaged(damage func(path string) string) (log string) {
	s.Helper()
	stop := s.callers.load(s.Context(), 4, s.mixed)
	within(s.T, 30*time.Second, "some calls are answered", func() bool { return len(s.callers.all()) > 20 })
	s.serve.Kill()
	stop()
	names := s.segments()
	what := damage(names[len(names)-1])
	s.start()
	s.awaitServing()
	log = s.serve.Stderr()
	if strings.Contains(log, "panic") {
		s.Errorf("%s: a panic\n%s", what, log)
	}
	s.Log(what)
	return log
}

// A torn end of the journal, as a crash of the machine leaves it, would keep the
// process from starting, or from telling (E-20). What the database has already is
// not lost by it, and nothing is charged twice.
func TestTornJournal(t *testing.T) {
	rounds(t, 1)
	s := play(t, setting{})
	s.rich()
	s.damaged(func(path string) string {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		cut := 1 + rand.Int64N(min(200, info.Size()-100))
		if err := os.Truncate(path, info.Size()-cut); err != nil {
			t.Fatal(err)
		}
		return "the last bytes of the journal are cut off"
	})
	s.onceEach()
}

// A bit that flipped in the journal would be taken for money, or keep the process
// from starting, or go unnoticed (E-21).
func TestFlippedBit(t *testing.T) {
	rounds(t, 1)
	s := play(t, setting{})
	s.rich()
	log := s.damaged(func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := len(b) / 2
		b[at] ^= 0x10
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return "a bit in the middle of the journal is flipped"
	})
	if !strings.Contains(log, "the journal is damaged") {
		t.Errorf("nobody is told of the damage:\n%s", log)
	}
	s.onceEach()
}

// onceEach checks what holds whatever a journal has lost: the ledger is proven by
// itself, and no call is charged above what the upstream billed. A hold whose end
// is lost expires by its deadline.
func (s *scene) onceEach() {
	s.Helper()
	s.serve.Stop(s.T)
	b := newBooks()
	b.readDatabase(s.T, s.store)
	var f figures
	b.auditLedger(&f)
	sales, missing := s.till.all(), 0
	for _, r := range s.callers.all() {
		charged := b.booked(r.id).charged
		full := priceOf(sales[r.number].input, sales[r.number].output)
		switch {
		case r.id.IsZero():
		case charged > full:
			f.problem("call %d was charged %s, the upstream billed %s", r.number, charged, full)
		case r.last && charged != full:
			missing++
		}
	}
	again := 0
	for _, r := range b.requests {
		again += max(0, len(r.records)-1)
	}
	_, held := b.balance(sluice.TenantWallet(tenant, asset))
	s.Logf("held until its deadline: %s; requests with a second record: %d", held, again)
	s.Logf("%d of %d calls whose end was seen are not charged: the journal's damage cost them", missing, len(s.callers.all()))
	for _, p := range f.problems {
		s.Error(p)
	}
}
