package money_test

import (
	"os"
	"path/filepath"
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
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=24m,mode=0700"); err != nil {
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
// to start the process again (E-18). The database is elsewhere, as it is in a
// larger installation: it is the journal's disk that is full.
func TestDiskFull(t *testing.T) {
	times := 1
	if n := rounds(t, 1); long() {
		times = max(1, n/20)
	}
	dir := mountSmall(t)
	s := play(t, setting{dir: dir, dsn: sluicetest.PrivatePostgres(t).DSN("postgres")})
	s.rich()
	unfollow := s.archive.follow(t) // a segment lives for as long as a write succeeds
	for range times {
		s.callers.call(t.Context(), s.order(plan{Chunks: 3}))
		empty := fill(t, filepath.Join(dir, "data"))
		served, after := s.untilRefused()
		if !s.lists() {
			t.Error("what costs nothing is refused, too")
		}
		empty()
		took := s.awaitServing()
		t.Logf("full disk: the first call is refused %s later, after %d that were answered; serving again %s after there is room", after.Round(time.Millisecond), served, took.Round(time.Millisecond))
	}
	unfollow()
	s.close()
}

// untilRefused calls until every call is refused, and returns how many were
// answered before and how long that took.
func (s *scene) untilRefused() (served int, after time.Duration) {
	s.Helper()
	began, refused := time.Now(), 0
	for refused < 20 {
		r := s.callers.call(s.Context(), s.order(plan{Chunks: 3}))
		switch {
		case r.status == 503:
			refused++
			if refused == 1 {
				after = time.Since(began)
			}
		case r.last:
			served, refused = served+1, 0
		}
		if time.Since(began) > 10*time.Second {
			s.Fatalf("calls are answered on a full disk: %d, the last as %+v", served, r)
		}
	}
	if after > time.Second {
		s.Errorf("the first call is refused %s after the disk is full", after)
	}
	return served, after
}
