package money_test

import (
	"bytes"
	"fmt"
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
// one on it. A process that does not start fails the test. Where there was nothing
// to be damaged, which damage says by "", another one dies.
func (s *scene) damaged(damage func(path string) (what string)) (log string) {
	s.Helper()
	for range 20 {
		s.dies()
		names := s.segments()
		what := damage(names[len(names)-1])
		s.start()
		s.awaitServing()
		if what == "" {
			continue
		}
		log = s.serve.Stderr()
		if strings.Contains(log, "panic") {
			s.Errorf("%s: a panic\n%s", what, log)
		}
		s.Log(what)
		return log
	}
	s.Fatal("there was nothing to be damaged, however often the process died")
	return ""
}

// dies has the process die under load.
func (s *scene) dies() {
	s.Helper()
	before := len(s.callers.all())
	stop := s.callers.load(s.Context(), 4, s.mixed)
	within(s.T, 30*time.Second, "some calls are answered", func() bool { return len(s.callers.all()) > before+20 })
	s.serve.Kill()
	stop()
}

// A torn end of the journal would keep the process from starting, or from telling,
// or lose what a client has seen the end of (E-20). What a loss of power can tear
// was not synced: of that nothing was promised. A cut that goes deeper, into what
// was synced, costs at most the endings that were cut off.
func TestTornJournal(t *testing.T) {
	for _, c := range []struct {
		name   string
		deeper bool
	}{{"by a loss of power", false}, {"deeper", true}} {
		t.Run(c.name, func(t *testing.T) {
			rounds(t, 1)
			s := play(t, setting{})
			s.rich()
			var gone map[sluice.RequestID]bool
			s.damaged(func(path string) string {
				cut := int64(0)
				if cut, gone = s.tear(path, c.deeper); cut == 0 {
					return ""
				}
				return fmt.Sprintf("%d bytes of the journal are cut off, and %d endings that were seen", cut, len(gone))
			})
			s.onceEach(gone)
		})
	}
}

// tear cuts the end of a segment off and leaves half a write there. Unless it is
// to go deeper, it spares the ending of every call whose end a client has seen:
// strict terms have synced it by then. It returns how much it cut off, 0 when nothing
// may be, and the seen endings that are gone.
func (s *scene) tear(path string, deeper bool) (cut int64, gone map[sluice.RequestID]bool) {
	s.Helper()
	info, err := os.Stat(path)
	if err != nil {
		s.Fatal(err)
	}
	whole := s.endings(path, 0)
	cut = 1 + rand.Int64N(min(400, info.Size()-100))
	if deeper {
		cut = min(cut+1000, info.Size()-100)
	}
	for ; ; cut -= 1 + cut/8 {
		gone = map[sluice.RequestID]bool{}
		left := s.endings(path, cut)
		for _, r := range s.callers.all() {
			if r.last && whole[r.id] && !left[r.id] {
				gone[r.id] = true
			}
		}
		if deeper || len(gone) == 0 {
			break
		}
	}
	if cut == 0 { // the journal ends with a call whose end was seen
		return 0, nil
	}
	if err := os.Truncate(path, info.Size()-cut); err != nil {
		s.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(bytes.Repeat([]byte{0xa5}, rand.IntN(200))); err != nil {
		s.Fatal(err)
	}
	return cut, gone
}

// endings are the requests whose final TERMINAL can be read when so much of the
// journal's last file is cut off; it looks at a copy.
func (s *scene) endings(path string, cut int64) map[sluice.RequestID]bool {
	s.Helper()
	dir := s.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(path))); err != nil {
		s.Fatal(err)
	}
	last := filepath.Join(dir, filepath.Base(path))
	info, err := os.Stat(last)
	if err == nil {
		err = os.Truncate(last, info.Size()-cut)
	}
	if err != nil {
		s.Fatal(err)
	}
	b := newBooks()
	b.readJournal(s.T, dir)
	ended := map[sluice.RequestID]bool{}
	for id, story := range b.stories {
		ended[id] = len(story.finals) > 0
	}
	return ended
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
	s.onceEach(nil)
}

// onceEach checks what holds whatever a journal has lost: the ledger is proven by
// itself, and no call is charged above what the upstream billed. A hold whose end
// is lost expires by its deadline. Where it is known which endings are gone, no
// other call whose end was seen is free.
func (s *scene) onceEach(gone map[sluice.RequestID]bool) {
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
		case r.last && charged != full && gone != nil && !gone[r.id]:
			f.problem("the end of call %d was seen and its ending is there; it was charged %s instead of %s", r.number, charged, full)
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
