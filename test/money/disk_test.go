package money_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/sluicetest"
)

// mountSmall mounts a file system of a few megabytes for a data folder, where the
// kernel lets the test.
func mountSmall(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=48m,mode=0700"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all that is left of a file system and returns what gives it back.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// A full disk would have calls served that nobody can charge, or need somebody
// to start the process again (E-18): the disk of the journal alone, with the
// database elsewhere, and one that has both.
func TestDiskFull(t *testing.T) {
	t.Run("of the journal", func(t *testing.T) { diskFull(t, sluicetest.PrivatePostgres(t).DSN("postgres")) })
	t.Run("of everything", func(t *testing.T) { diskFull(t, "") })
}

func diskFull(t *testing.T, dsn string) {
	times := 1
	if n := rounds(t, 1); long() {
		times = max(1, n/20)
	}
	dir := mountSmall(t)
	s := play(t, setting{dir: dir, dsn: dsn})
	s.rich()
	unfollow := s.archive.follow(t) // a segment lives for as long as a write succeeds
	for range times {
		s.callers.call(t.Context(), s.order(plan{Chunks: 3}))
		empty := fill(t, filepath.Join(dir, "data"))
		before := len(s.callers.all())
		wait, after := s.untilRefused()
		if !s.lists() {
			t.Error("what costs nothing is refused, too")
		}
		if r := s.callers.call(t.Context(), s.order(plan{Chunks: 3})); r.status != 503 {
			t.Errorf("after one refusal, the next call gets %+v", r)
		}
		if long() {
			time.Sleep(3 * time.Second)
		}
		empty()
		wait()
		took := s.awaitServing()
		whole, refused := 0, 0
		for _, r := range s.callers.all()[before:] {
			switch {
			case r.last && r.status == 200:
				whole++
			case r.status == 503:
				refused++
			default:
				t.Errorf("%+v", r)
			}
		}
		t.Logf("full disk: the first call is refused after %s, %d in all; %d were answered, those that had begun when there was room; serving again after %s",
			after.Round(time.Millisecond), refused, whole, took.Round(time.Millisecond))
	}
	t.Logf("all is booked %s later", s.unheld().Round(time.Millisecond))
	unfollow()
	s.close()
}

// untilRefused makes call after call, none waiting for another, until one is
// refused, and returns what waits for the others and how long that took. Calls
// that have begun wait for room to write their end.
func (s *scene) untilRefused() (wait func(), after time.Duration) {
	s.Helper()
	var running sync.WaitGroup
	before := len(s.callers.all())
	after = within(s.T, 10*time.Second, "a call is refused on a full disk", func() bool {
		running.Go(func() { s.callers.call(s.Context(), s.order(plan{Chunks: 3})) })
		return slices.ContainsFunc(s.callers.all()[before:], func(r receipt) bool { return r.status == 503 })
	})
	if after > time.Second {
		s.Errorf("the first call is refused %s after the disk is full", after)
	}
	return running.Wait, after
}

// A journal at its quota would take more, or stay full when the books are back
// (E-18).
func TestQuotaFull(t *testing.T) {
	rounds(t, 1)
	onlyLong(t)
	postgres := sluicetest.PrivatePostgres(t)
	s := play(t, setting{dsn: postgres.DSN("postgres"), env: []string{"SLUICE_JOURNAL_QUOTA_BYTES=8388608", "SLUICE_JOURNAL_SEGMENT_BYTES=1048576"}})
	s.rich()
	unfollow := s.archive.follow(t)
	postgres.Crash(t)
	stop := s.callers.load(t.Context(), 16, func() order {
		o := s.order(plan{Chunks: 1})
		o.whole = true
		return o
	})
	filled := within(t, 5*time.Minute, "the journal is full", func() bool {
		all := s.callers.all()
		return len(all) > 0 && all[len(all)-1].status == 503
	})
	if !s.lists() {
		t.Error("what costs nothing is refused, too")
	}
	postgres.Start(t)
	stop()
	took := s.awaitServing()
	s.unheld()
	unfollow()
	_, f := s.close()
	t.Logf("the quota of 8 MiB was full after %s and %d calls; serving again %s after the database", filled.Round(time.Second), f.answered, took.Round(time.Millisecond))
	for _, r := range failed(s.callers.all()) {
		if r.status != 503 {
			t.Fatalf("%+v", r)
		}
	}
}
