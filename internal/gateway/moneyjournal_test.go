package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/worker"
)

var errEIO = errors.New("input/output error")

// Requests would be served that nobody can write down, or all traffic stop, or
// what was in flight be lost (E-19).
func TestJournalDiskFails(t *testing.T) { bothTerms(t, testJournalDiskFails) }

func testJournalDiskFails(t *testing.T, transport transport, terms func(*sluice.Tenant)) {
	m := newMoney(t, transport, setting{})
	m.terms(terms)
	m.addService(nil, sluicetest.NewUpstream(t, sluicetest.Text(200, "plain")))
	m.topUp(acme, usd(1_000_000))
	carryOn := make(chan struct{})
	arrived := make(chan struct{}, 2)
	var sent atomic.Int64
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		arrived <- struct{}{}
		<-carryOn
		m.till.serve(w, r)
		sent.Add(1)
	})
	m.apply()
	inFlight := []*reading{m.begin("/v1/chat/completions", chatBody("m1", "")), m.begin("/v1/chat/completions", chatBody("m1", streamed))}
	<-arrived
	<-arrived
	m.disk.fail(errEIO)
	m.eventually("new requests are refused", func() bool { return m.chat("").status == 503 })
	before := len(m.up.Requests())
	began := time.Now()
	if a := m.chat(streamed); a.status != 503 || a.header.Get("Retry-After") == "" || time.Since(began) > time.Second {
		t.Errorf("%d %s after %v", a.status, a.body, time.Since(began))
	}
	if n := len(m.up.Requests()); n != before {
		t.Errorf("the provider was called %d times more", n-before)
	}
	if a := m.do("GET", "/svc/x", ""); a.status != 200 || a.body != "plain" {
		t.Errorf("a plain route: %d %s", a.status, a.body)
	}
	close(carryOn)
	m.eventually("the upstream has sent both answers", func() bool { return sent.Load() == 2 })
	m.disk.fail(nil)
	for _, r := range inFlight {
		if a := r.whole(m); a.status != 200 || a.err != nil || strings.Contains(a.body, string(sluice.CodeChargeFailed)) {
			t.Errorf("in flight: %d %s %v", a.status, a.body, a.err)
		}
	}
	m.eventually("requests are served again", func() bool { return m.chat("").status == 200 })
	m.exact()
}

// Who got an error, because a disk was dead for longer than there is patience,
// would pay for a whole answer once the disk is back.
func TestDeadDiskChargesNobody(t *testing.T) { onEveryTransport(t, testDeadDiskChargesNobody) }

func testDeadDiskChargesNobody(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.g.Impatient(50 * time.Millisecond)
	m.topUp(acme, usd(1_000_000))
	carryOn, arrived := make(chan struct{}), make(chan struct{})
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		close(arrived)
		<-carryOn
		m.till.serve(w, r)
	}, m.till.serve)
	m.apply()
	inFlight := m.begin("/v1/chat/completions", chatBody("m1", ""))
	<-arrived
	m.disk.fail(errEIO)
	m.eventually("the disk is known to be dead", func() bool { return m.chat("").status == 503 && m.journal.Failing() != nil })
	close(carryOn)
	if a := inFlight.whole(m); a.status < 500 || a.errorCode() != sluice.CodeChargeFailed {
		t.Errorf("in flight: %d %s", a.status, a.body)
	}
	m.disk.fail(nil)
	m.eventually("requests are served again", func() bool { return m.chat("").status == 200 })
	m.booked()
	charged := 0
	for _, e := range m.entries() {
		if e.Posting != nil && e.Posting.Final && e.Posting.Charge > 0 {
			charged++
		}
	}
	if b := m.balance(acme); charged != 1 || b.Pending != 0 {
		t.Errorf("%d requests are charged, one was answered; %s is held", charged, b.Pending)
	}
}

// A full journal would stop more than what costs something, or not empty itself
// (E-18).
func TestJournalIsFull(t *testing.T) { onEveryTransport(t, testJournalIsFull) }

func testJournalIsFull(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newAdmission(), journal: func(c *journal.Config) { c.QuotaBytes, c.SegmentBytes = 40<<10, 4<<10 }})
	m.addService(nil, sluicetest.NewUpstream(t, sluicetest.Text(200, "plain")))
	m.topUp(acme, usd(100_000_000))
	m.apply()
	m.road.close(true) // the books are away, so that nothing is truncated
	served := 0
	m.eventually("the journal is full", func() bool {
		a := m.chat("")
		if a.status == 200 {
			served++
		}
		return a.status == 503
	})
	if a := m.chat(""); a.status != 503 || a.errorCode() != sluice.CodeUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := m.do("GET", "/svc/x", ""); a.status != 200 {
		t.Errorf("a plain route: %d %s", a.status, a.body)
	}
	if n := len(m.till.all()); n != served || served == 0 {
		t.Errorf("%d calls, %d answers", n, served)
	}
	m.eventually("nothing flies", func() bool { return m.g.Status().Active == 0 })
	if s := m.journal.Stats(); s.Requests != 0 || s.Bytes > 44<<10 {
		t.Errorf("the journal: %+v", s)
	}
	m.road.close(false)
	m.eventually("requests are served again", func() bool { return m.chat("").status == 200 })
	m.exact()
}

// second is another process that finds what the first left.
type second struct {
	*money
	found journal.Recovery
}

// after has another process take over a copy of the journal's folder and a fresh
// ledger with the same money.
func (m *money) after(folder string, amount sluice.Nanos, amend func(*sluice.Posting)) *second {
	m.t.Helper()
	s := &second{money: &money{fixture: m.fixture, till: m.till, now: m.now}}
	var err error
	if s.db, err = store.Open(context.Background(), store.Config{Path: filepath.Join(m.t.TempDir(), "again.db")}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = s.db.Close() })
	s.ledger = worker.NewBooks(worker.BooksConfig{Own: owner(s.db, m.now, &s.poster), Now: m.now, Log: slog.New(slog.DiscardHandler)})
	if err := s.ledger.Take(context.Background()); err != nil {
		m.t.Fatal(err)
	}
	s.topUp(acme, amount)
	s.disk = newDisk(m.t, folder)
	if s.journal, s.found, err = journal.OpenJournal(journal.Config{Disk: s.disk, Amend: amend}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = s.journal.Close() })
	if err := s.journal.EndCrashed(s.found, m.now()); err != nil {
		m.t.Fatal(err)
	}
	s.road = &road{to: s.ledger}
	ship := journal.NewShipper(s.journal, s.road)
	for more := true; more; {
		if more, err = ship.Step(context.Background()); err != nil {
			m.t.Fatal(err)
		}
	}
	return s
}

// copyOf copies the journal's folder as it is at this moment: what a killed
// process leaves.
func (m *money) copyOf() string {
	m.t.Helper()
	to := filepath.Join(m.t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(string(m.disk.Folder))); err != nil {
		m.t.Fatal(err)
	}
	return to
}

// A crash would charge for what nobody can prove, twice, or for nothing that was
// delivered; or an operator's choice not count.
func TestCrashMidStream(t *testing.T) { onEveryTransport(t, testCrashMidStream) }

func testCrashMidStream(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(1_000_000))
	m.ask("") // one that is done before the crash
	m.settled()
	silent, carryOn := make(chan struct{}), make(chan struct{})
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		w.Print(sluicetest.SSEHead)
		for range 700 {
			w.Chunk([]byte("data: " + word + "\n\n"))
		}
		close(silent)
		<-carryOn
		w.Print("0\r\n\r\n")
	})
	r := m.begin("/v1/chat/completions", chatBody("m1", streamed))
	<-silent
	m.eventually("all words came", func() bool { _, body, _ := r.now(); return strings.Count(body, "word") == 700 })
	m.eventually("a PROGRESS is written", func() bool { s := m.journal.Stats(); return s.Written == s.Last })
	left, nothing := m.copyOf(), m.copyOf()
	close(carryOn)
	r.whole(m)

	s := m.after(left, usd(1_000_000), nil)
	if s.found.Unfinished != 1 {
		t.Errorf("found %+v", s.found)
	}
	var crash *story
	for _, story := range s.stories() {
		if story.final.Outcome == sluice.OutcomeCrash {
			crash = story
		}
	}
	switch {
	case crash == nil:
		t.Fatal("no crash ending")
	case len(crash.progress) == 0, crash.final.Charge != crash.progress[len(crash.progress)-1].Charge, crash.final.Charge > 700*perOutput+100*perInput, crash.final.Charge < 256*perOutput:
		t.Errorf("charged %s after %d PROGRESS, the last %+v", crash.final.Charge, len(crash.progress), crash.progress)
	}
	if n := len(s.booked()); n != 2 {
		t.Errorf("%d charges", n)
	}
	s.again(left) // and once more: nothing changes
	free := m.after(nothing, usd(1_000_000), func(p *sluice.Posting) { p.Charge = 0 })
	if n := len(free.booked()); n != 1 {
		t.Errorf("%d charges where a crash is not charged", n)
	}
}

// again opens the journal once more, as another start does, and ships it to the
// same books.
func (s *second) again(folder string) {
	s.t.Helper()
	before := s.balance(acme)
	_ = s.journal.Close()
	var err error
	if s.journal, s.found, err = journal.OpenJournal(journal.Config{Disk: newDisk(s.t, folder)}); err != nil {
		s.t.Fatal(err)
	}
	if s.found.Unfinished != 0 {
		s.t.Errorf("another start found %+v", s.found)
	}
	ship := journal.NewShipper(s.journal, s.ledger)
	for more := true; more; {
		if more, err = ship.Step(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	}
	if after := s.balance(acme); after != before {
		s.t.Errorf("the wallet went from %+v to %+v", before, after)
	}
}
