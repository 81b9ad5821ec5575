package journal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// library is what real books are to shippers: a position for each id, behind which
// everything is taken once.
type library struct {
	positions map[string]journal.Seq
	ended     map[sluice.RequestID]int
	lost      []journal.Entry
	away      bool
}

func newLibrary() *library {
	return &library{positions: map[string]journal.Seq{}, ended: map[sluice.RequestID]int{}}
}

func (l *library) Send(_ context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	if l.away {
		return 0, errors.New("nobody is there")
	}
	for _, e := range entries {
		if after > l.positions[id] || e.Seq <= l.positions[id] {
			continue
		}
		l.positions[id] = max(e.Seq, e.Through)
		switch e.Kind {
		case journal.Terminal:
			l.ended[e.Request]++
		case journal.Lost:
			l.lost = append(l.lost, e)
		}
	}
	return l.positions[id], nil
}

// shipAll ships until nothing is left.
func shipAll(t *testing.T, s *journal.Shipper) {
	t.Helper()
	for range 1000 {
		more, err := s.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("there is always more to ship")
}

// spend writes whole requests.
func spend(t *testing.T, j *journal.Journal, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		appendAll(t, j, openEntry(n), posting(n, journal.Terminal, 5))
	}
}

// copyOf is what a snapshot of a folder is.
func copyOf(t *testing.T, from journal.Folder) journal.Folder {
	t.Helper()
	to := folder(t)
	if err := os.CopyFS(filepath.Join(string(to)), os.DirFS(string(from))); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestOldCopyGivesNothingAway puts a folder back that is older than what the
// books have of it: what is spent afterwards would be skipped and truncated.
func TestOldCopyGivesNothingAway(t *testing.T) {
	books, disk := newLibrary(), folder(t)
	j, _ := open(t, journal.Config{Disk: disk})
	spend(t, j, 0, 3)
	shipAll(t, journal.NewShipper(j, books))
	snapshot := copyOf(t, disk)
	spend(t, j, 3, 6)
	shipAll(t, journal.NewShipper(j, books))
	j.Close()
	j, _ = open(t, journal.Config{Disk: disk})
	spend(t, j, 6, 16)
	shipAll(t, journal.NewShipper(j, books))
	j.Close()

	j, _ = open(t, journal.Config{Disk: snapshot})
	s := journal.NewShipper(j, books)
	spend(t, j, 16, 20)
	shipAll(t, s)
	spend(t, j, 20, 24)
	shipAll(t, s)
	for n := range 24 {
		if books.ended[request(n)] != 1 {
			t.Errorf("request %d is in the books %d times", n, books.ended[request(n)])
		}
	}
	if s.Copies() != 1 || len(books.lost) != 1 {
		t.Errorf("an old copy was noticed %d times, the books were told %+v", s.Copies(), books.lost)
	}
	// Those who start on it once more tell nobody again.
	j.Close()
	j, rec := open(t, journal.Config{Disk: snapshot})
	spend(t, j, 24, 25)
	shipAll(t, journal.NewShipper(j, books))
	if len(rec.Damage) != 0 || len(books.lost) != 1 || books.ended[request(24)] != 1 {
		t.Errorf("%+v, the books were told %+v", rec, books.lost)
	}
}

// TestTwoCopiesAtOnce runs two gateways on copies of one folder: neither may
// swallow what the other spends, however their shipments interleave.
func TestTwoCopiesAtOnce(t *testing.T) {
	books, disk := newLibrary(), folder(t)
	j, _ := open(t, journal.Config{Disk: disk})
	spend(t, j, 0, 3)
	j.Close()
	one, _ := open(t, journal.Config{Disk: copyOf(t, disk)})
	two, _ := open(t, journal.Config{Disk: disk})
	first, second := journal.NewShipper(one, books), journal.NewShipper(two, books)
	shipAll(t, first)
	shipAll(t, second)
	for round := range 4 {
		n := 10 + 10*round
		spend(t, one, n, n+2)
		spend(t, two, n+2, n+5)
		shipAll(t, second)
		shipAll(t, first)
		for i := range 5 {
			if got := books.ended[request(n+i)]; got != 1 {
				t.Errorf("request %d is in the books %d times", n+i, got)
			}
		}
	}
	if len(books.lost) != 0 {
		t.Errorf("the books were told of a loss: %+v", books.lost)
	}
}

// TestRestoredBooksGetAllThatIsThere has the books forget: what several processes
// wrote and no truncation took comes again.
func TestRestoredBooksGetAllThatIsThere(t *testing.T) {
	books, disk := newLibrary(), folder(t)
	books.away = true
	for n := range 3 {
		j, _ := open(t, journal.Config{Disk: disk})
		spend(t, j, n, n+1)
		if _, err := journal.NewShipper(j, books).Step(t.Context()); err == nil {
			t.Fatal("books that are away have answered")
		}
		j.Close()
	}
	j, _ := open(t, journal.Config{Disk: disk})
	spend(t, j, 3, 4)
	books.away = false
	s := journal.NewShipper(j, books)
	if _, err := s.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	*books = *newLibrary()
	shipAll(t, s)
	for n := 1; n < 4; n++ { // what the books had of the first process was truncated
		if books.ended[request(n)] != 1 {
			t.Errorf("request %d is in the books %d times", n, books.ended[request(n)])
		}
	}
	if got, want := s.Shipped(), j.Stats().Synced; got != want || len(books.lost) != 0 {
		t.Errorf("shipped up to %s of %s, lost %+v", got, want, books.lost)
	}
}

// TestWaitingBeforeTheFirstAnswer starts while the books are away: operators must
// see how old the oldest entry is that only this disk has.
func TestWaitingBeforeTheFirstAnswer(t *testing.T) {
	books, disk := newLibrary(), folder(t)
	books.away = true
	j, _ := open(t, journal.Config{Disk: disk})
	spend(t, j, 0, 2)
	s := journal.NewShipper(j, books)
	if got := s.Waiting(now); got != 0 {
		t.Errorf("waiting %s before anybody looked", got)
	}
	if _, err := s.Step(t.Context()); err == nil {
		t.Fatal("books that are away have answered")
	}
	if got := s.Waiting(now.Add(time.Hour)); got != time.Hour {
		t.Errorf("the oldest entry waits for %s, want an hour", got)
	}
	books.away = false
	shipAll(t, s)
	if got := s.Waiting(now.Add(time.Hour)); got != 0 {
		t.Errorf("everything is shipped and waits for %s", got)
	}
}

// TestTailsNameWhoWroteSomething: who waits for the books to have everything must
// not wait for a process that has written nothing yet.
func TestTailsNameWhoWroteSomething(t *testing.T) {
	books, disk := newLibrary(), folder(t)
	j, _ := open(t, journal.Config{Disk: disk})
	if tails := j.Tails(); len(tails) != 0 {
		t.Errorf("a new journal ends at %v", tails)
	}
	spend(t, j, 0, 3)
	last := j.Stats().Last
	j.Close()
	again, _ := open(t, journal.Config{Disk: disk})
	if tails := again.Tails(); len(tails) != 1 || tails[j.ID()] != last {
		t.Errorf("opened again it ends at %v, not at %s of %s", tails, last, j.ID())
	}
	spend(t, again, 3, 4)
	if tails := again.Tails(); len(tails) != 2 || tails[again.ID()] != again.Stats().Last {
		t.Errorf("with something written it ends at %v", tails)
	}
	shipAll(t, journal.NewShipper(again, books))
	if tails := again.Tails(); tails[again.ID()] != again.Stats().Last {
		t.Errorf("shipped it ends at %v", tails)
	}
}
