package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

func request(n int) (id sluice.RequestID) {
	copy(id[:], fmt.Sprintf("request %08d", n))
	return id
}

func openEntry(n int) *journal.Entry {
	return &journal.Entry{Kind: journal.Open, Request: request(n), Attempt: 1, At: now, Record: []byte(`{"key":17}`), Hold: &sluice.Hold{
		Request: request(n), Wallet: "cust.wallet:acme@USD", Amount: 1_500_000, Caps: []sluice.CapLimit{{Account: "cust.cap:key/17@USD", Limit: 5_000_000}},
		Deadline: now.Add(time.Hour), Price: sluice.PriceRef{Version: 3, Multiplier: sluice.NoMultiplier},
	}}
}

func posting(n int, kind journal.Kind, charge sluice.Nanos) *journal.Entry {
	p := &sluice.Posting{
		Request: request(n), Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Source: sluice.UsageProvider,
		Quantities: sluice.Quantities{sluice.UnitInput: 100, sluice.UnitOutput: int64(n), sluice.UnitRequest: 1},
		Price:      sluice.PriceRef{Version: 3, Multiplier: sluice.NoMultiplier}, Wallet: "cust.wallet:acme@USD", Charge: charge,
		Cost: sluice.CostLeg{Debit: "cogs:openly@USD", Credit: "payable:openly/main@USD", Amount: 7},
	}
	return &journal.Entry{Kind: kind, Request: request(n), Attempt: 1, At: now, Posting: p}
}

func open(t testing.TB, cfg journal.Config) (*journal.Journal, journal.Recovery) {
	t.Helper()
	j, rec, err := journal.OpenJournal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, rec
}

func folder(t testing.TB) journal.Folder {
	t.Helper()
	f, err := journal.NewFolder(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func appendAll(t testing.TB, j *journal.Journal, entries ...*journal.Entry) {
	t.Helper()
	for _, e := range entries {
		if _, err := j.Append(e); err != nil {
			t.Fatalf("%s: %v", e.Kind, err)
		}
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
}

// readAll returns what a reader returns now.
func readAll(t testing.TB, j *journal.Journal) (all []journal.Entry) {
	t.Helper()
	r := j.Reader(0)
	defer r.Close()
	for {
		e, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, e)
	}
}

// TestEntriesComeBack reads what was written, by the same process and by the
// next: a field that is lost here is money that cannot be explained.
func TestEntriesComeBack(t *testing.T) {
	disk := folder(t)
	j, _ := open(t, journal.Config{Disk: disk})
	written := []*journal.Entry{openEntry(1), posting(1, journal.Progress, 500), posting(1, journal.Terminal, 900)}
	appendAll(t, j, written...)
	check := func(who string, got []journal.Entry) {
		t.Helper()
		if len(got) != len(written) {
			t.Fatalf("%s: %d entries, want %d", who, len(got), len(written))
		}
		for i, e := range got {
			if want := fmt.Sprintf("%+v %+v %+v", *written[i], written[i].Hold, written[i].Posting); fmt.Sprintf("%+v %+v %+v", e, e.Hold, e.Posting) != fixPointers(want, *written[i], e) {
				t.Errorf("%s: entry %d\n%+v %+v %+v\n%s", who, i, e, e.Hold, e.Posting, want)
			}
		}
	}
	check("the writer", readAll(t, j))
	j.Close()
	next, rec := open(t, journal.Config{Disk: disk})
	if rec.Unfinished != 0 || len(rec.Damage) != 0 || rec.Entries != 3 || rec.TornBytes != 0 {
		t.Errorf("recovery: %+v", rec)
	}
	check("the next process", readAll(t, next))
	if next.ID() == j.ID() {
		t.Error("two processes write under one id: copies of a folder would take each other's entries for their own")
	}
}

// fixPointers makes two prints comparable: pointers differ, content counts.
func fixPointers(_ string, want, got journal.Entry) string {
	want.Hold, want.Posting, got.Hold, got.Posting = pick(got.Hold, want.Hold), pickPosting(got.Posting, want.Posting), nil, nil
	return fmt.Sprintf("%+v %+v %+v", want, want.Hold, want.Posting)
}

// pick returns the pointer of the first if the contents are equal.
func pick(a, b *sluice.Hold) *sluice.Hold {
	if a != nil && b != nil && fmt.Sprintf("%+v", *a) == fmt.Sprintf("%+v", *b) {
		return a
	}
	return b
}

func pickPosting(a, b *sluice.Posting) *sluice.Posting {
	if a != nil && b != nil && *a == *b {
		return a
	}
	return b
}

// TestLifeOfARequestIsGuarded refuses entries that would charge twice or for
// nothing, each with its code (I5).
func TestLifeOfARequestIsGuarded(t *testing.T) {
	j, _ := open(t, journal.Config{Disk: folder(t)})
	second := func(n int, hold bool) *journal.Entry {
		e := openEntry(n)
		e.Attempt = 2
		if !hold {
			e.Hold = nil
		}
		return e
	}
	loser := posting(2, journal.Terminal, 0)
	loser.Posting.Final = false
	whole := posting(2, journal.Terminal, 5)
	whole.Attempt, whole.Posting.Attempt = 0, 0
	for i, c := range []struct {
		e    *journal.Entry
		want sluice.Code
	}{
		{posting(1, journal.Terminal, 1), sluice.CodeConflict}, // never opened
		{second(1, false), sluice.CodeInvalidRequest},          // no hold yet
		{openEntry(1), ""},
		{openEntry(1), sluice.CodeConflict},
		{second(1, true), sluice.CodeInvalidRequest}, // one hold is enough
		{posting(1, journal.Progress, 1), ""},
		{posting(1, journal.Terminal, -1), sluice.CodeInvalidRequest},
		{posting(1, journal.Terminal, 1), ""},
		{posting(1, journal.Terminal, 1), sluice.CodeConflict},
		{posting(1, journal.Progress, 1), sluice.CodeConflict},
		{openEntry(1), ""}, // the journal forgets what has ended; the ledger does not
		{openEntry(2), ""},
		{whole, sluice.CodeConflict}, // an attempt is open
		{loser, ""},
		{whole, ""},
		{whole, sluice.CodeConflict},
		{&journal.Entry{Kind: journal.Terminal, Request: request(3)}, sluice.CodeInvalidRequest},
		{&journal.Entry{Kind: 77, Request: request(3)}, sluice.CodeInvalidRequest},
	} {
		if _, err := j.Append(c.e); sluice.CodeOf(err) != c.want {
			t.Errorf("step %d: %s: %v, want %q", i, c.e.Kind, err, c.want)
		}
	}
}

// TestCrashEndings ends what a killed process left open by its last PROGRESS,
// once: without it a hold would stay for ever, or a delivery be free.
func TestCrashEndings(t *testing.T) {
	disk := folder(t)
	j, _ := open(t, journal.Config{Disk: disk})
	second := openEntry(4)
	second.Attempt, second.Hold = 2, nil
	failed := posting(5, journal.Terminal, 0)
	failed.Posting.Final = false
	appendAll(t, j,
		openEntry(1), posting(1, journal.Terminal, 9), // ended
		openEntry(2),                                                                   // nothing delivered
		openEntry(3), posting(3, journal.Progress, 4), posting(3, journal.Progress, 6), // some
		openEntry(4), second, // two attempts at once
		openEntry(5), failed, // between two attempts
	)
	j.Close()
	next, rec := open(t, journal.Config{Disk: disk})
	if rec.Unfinished != 4 {
		t.Fatalf("%d unfinished, want 4", rec.Unfinished)
	}
	if err := next.EndCrashed(rec, now); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range readAll(t, next)[10:] {
		got[e.Request.String()] += fmt.Sprintf("%d:%s:%v:%s ", e.Attempt, e.Posting.Outcome, e.Posting.Final, e.Posting.Charge)
		if e.Posting.Wallet != "cust.wallet:acme@USD" || string(e.Record) != `{"key":17}` {
			t.Errorf("%+v has lost its wallet or record", e)
		}
	}
	for n, want := range map[int]string{2: "1:crash:true:0 ", 3: "1:crash:true:0.000000006 ", 4: "2:crash:true:0 1:crash:false:0 ", 5: "0:crash:true:0 "} {
		if got[request(n).String()] != want {
			t.Errorf("request %d ended as %q, want %q", n, got[request(n).String()], want)
		}
	}
	next.Close()
	if _, rec := open(t, journal.Config{Disk: disk}); rec.Unfinished != 0 {
		t.Errorf("%d are unfinished again", rec.Unfinished)
	}
}

// TestTornTail cuts the journal off at every byte of the last three entries, and
// puts garbage there: whole entries before it are served, nothing panics, and
// the journal goes on (E-20).
func TestTornTail(t *testing.T) {
	disk := folder(t)
	j, _ := open(t, journal.Config{Disk: disk})
	appendAll(t, j, openEntry(1), openEntry(2))
	path := filepath.Join(string(disk), "journal-000000000001.log")
	var ends []int64
	for _, e := range []*journal.Entry{openEntry(3), posting(1, journal.Progress, 5), posting(2, journal.Terminal, 6)} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, info.Size())
		appendAll(t, j, e)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := ends[0]; cut < int64(len(whole)); cut++ {
		want := 2
		for _, end := range ends[1:] {
			if cut >= end {
				want++
			}
		}
		flipped := append([]byte(nil), whole...)
		flipped[cut] ^= 0x40
		garbled := append([]byte(nil), whole...)
		for i := range garbled[cut:] {
			garbled[int(cut)+i] ^= 0xff
		}
		for how, content := range map[string][]byte{"cut": whole[:cut], "garbage": garbled, "flipped": flipped} {
			torn := folder(t)
			if err := os.WriteFile(filepath.Join(string(torn), filepath.Base(path)), content, 0o600); err != nil {
				t.Fatal(err)
			}
			j, rec := open(t, journal.Config{Disk: torn})
			// A flip in an entry that a later one shows to have been durable is
			// damage; at the very end it cannot be told from a torn write.
			lost := 0
			for _, d := range rec.Damage {
				lost += int(d.Through - d.From + 1)
			}
			if how != "flipped" && (rec.Entries != want || lost != 0) || how == "flipped" && rec.Entries < want {
				t.Fatalf("%s at %d: %+v, want %d entries", how, cut, rec, want)
			}
			appendAll(t, j, openEntry(9))
			if all := readAll(t, j); len(all) < want+1 || all[len(all)-1].Request != request(9) {
				t.Fatalf("%s at %d: read %d entries afterwards", how, cut, len(all))
			}
			j.Close()
		}
	}
}

// TestDamageInTheMiddle flips bits all over what is durable: each flip is
// reported, costs no other entry, and readers are told what is missing (E-21).
func TestDamageInTheMiddle(t *testing.T) {
	disk := folder(t)
	j, _ := open(t, journal.Config{Disk: disk, SegmentBytes: 1500})
	for n := range 12 {
		appendAll(t, j, openEntry(n), posting(n, journal.Terminal, 5))
	}
	id := j.ID()
	j.Close()
	names, err := disk.List()
	if err != nil || len(names) < 3 {
		t.Fatalf("%v, %v", names, err)
	}
	for i, name := range names[:len(names)-1] {
		whole, err := os.ReadFile(filepath.Join(string(disk), name))
		if err != nil {
			t.Fatal(err)
		}
		for bit := 0; bit < 8*len(whole); bit += 101 {
			damaged := folder(t)
			for k, other := range names {
				content, err := os.ReadFile(filepath.Join(string(disk), other))
				if err != nil {
					t.Fatal(err)
				}
				if k == i {
					content[bit/8] ^= 1 << (bit % 8)
				}
				if err := os.WriteFile(filepath.Join(string(damaged), other), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			j, rec := open(t, journal.Config{Disk: damaged})
			lost := 0
			for _, d := range rec.Damage {
				if d.From > 0 {
					lost += int(d.Through-d.From) + 1
				}
			}
			inHeader := bit/8 < 72
			if !inHeader && (lost != 1 || len(rec.Damage) != 1 || rec.Entries != 23) || inHeader && (rec.Entries != 24 || len(rec.Damage) != 1) || writers(t, j) != id {
				t.Fatalf("%s bit %d: %+v", name, bit, rec)
			}
			count, missing := 0, 0
			for _, e := range readAll(t, j) {
				if e.Kind == journal.Lost {
					missing += int(e.Through-e.Seq) + 1
				} else {
					count++
				}
			}
			if count != rec.Entries || !inHeader && missing != 1 {
				t.Fatalf("%s bit %d: read %d entries and %d missing, recovery found %d", name, bit, count, missing, rec.Entries)
			}
			j.Close()
		}
	}
}

// writers returns whose entries a journal has; they are one process's.
func writers(t testing.TB, j *journal.Journal) (id string) {
	t.Helper()
	r := j.Reader(0)
	defer r.Close()
	for {
		_, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return id
		}
		if id != "" && id != r.ID() {
			t.Fatalf("entries of %s and of %s", id, r.ID())
		}
		id = r.ID()
	}
}

// TestQuotaKeepsRoomForEndings fills the quota: new work is refused with a
// retryable code, what runs can still end, and truncation makes room (E-18).
func TestQuotaKeepsRoomForEndings(t *testing.T) {
	j, _ := open(t, journal.Config{Disk: folder(t), SegmentBytes: 4 << 10, QuotaBytes: 40 << 10})
	opened, ended := 0, 0
	for ; ; opened++ {
		if _, err := j.Append(openEntry(opened)); sluice.CodeOf(err) == sluice.CodeUnavailable {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		if opened%2 == 0 {
			appendAll(t, j, posting(opened, journal.Terminal, 1))
			ended++
		}
	}
	if opened < 50 {
		t.Fatalf("refused after %d", opened)
	}
	last := journal.Seq(0)
	for n := 1; n < opened; n += 2 {
		seq, err := j.Append(posting(n, journal.Terminal, 1))
		if err != nil {
			t.Fatalf("the ending of %d: %v", n, err)
		}
		last = seq
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := j.Truncate(last); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); s.Segments != 1 || s.Requests != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := j.Append(openEntry(9999)); err != nil {
		t.Errorf("after truncation: %v", err)
	}
}

// TestTruncationSparesOpenRequests keeps the OPEN that a crash ending would need.
func TestTruncationSparesOpenRequests(t *testing.T) {
	j, _ := open(t, journal.Config{Disk: folder(t), SegmentBytes: 1 << 10})
	appendAll(t, j, openEntry(0))
	for n := 1; n < 20; n++ {
		appendAll(t, j, openEntry(n), posting(n, journal.Terminal, 1))
	}
	before := j.Stats()
	if err := j.Truncate(before.Synced); err != nil {
		t.Fatal(err)
	}
	if after := j.Stats(); after.Segments != before.Segments || after.Segments < 5 {
		t.Errorf("%d of %d segments are left", after.Segments, before.Segments)
	}
	appendAll(t, j, posting(0, journal.Terminal, 1))
	if err := j.Truncate(j.Stats().Synced); err != nil {
		t.Fatal(err)
	}
	if after := j.Stats(); after.Segments != 1 {
		t.Errorf("%d segments are left after the last ending", after.Segments)
	}
}

// TestTruncationWaitsForTheEnding truncates while the ending of a request is in
// memory only. If it failed, a death in that moment would lose the request: no
// journal has its OPEN any more, its hold stays until its deadline, and what was
// delivered is charged to nobody.
func TestTruncationWaitsForTheEnding(t *testing.T) {
	disk := folder(t)
	j, _ := open(t, journal.Config{Disk: disk, SegmentBytes: 1 << 10})
	appendAll(t, j, openEntry(1))
	for n := 2; j.Stats().Segments < 3; n++ {
		appendAll(t, j, openEntry(n), posting(n, journal.Terminal, 1))
	}
	booked := j.Stats().Synced
	if _, err := j.Append(posting(1, journal.Terminal, 9)); err != nil {
		t.Fatal(err)
	}
	if err := j.Truncate(booked); err != nil {
		t.Fatal(err)
	}
	// The process dies here: the folder is as another one finds it.
	next, rec := open(t, journal.Config{Disk: copyOf(t, disk)})
	if rec.Unfinished != 1 {
		t.Errorf("%d requests are unfinished, want 1", rec.Unfinished)
	}
	next.Close()
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := j.Truncate(booked); err != nil || j.Stats().Segments != 1 {
		t.Errorf("%v, %d segments once the ending is durable", err, j.Stats().Segments)
	}
}

// TestGroupCommit runs many writers against Run: each is told only when its
// entry is on the disk, and they share fsyncs.
func TestGroupCommit(t *testing.T) {
	disk := &countingDisk{Folder: folder(t)}
	j, _ := open(t, journal.Config{Disk: disk})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); j.Run(ctx, nil) }()
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				n := w*100 + i
				for _, e := range []*journal.Entry{openEntry(n), posting(n, journal.Terminal, 1)} {
					seq, err := j.Append(e)
					if err == nil {
						err = j.Wait(ctx, seq, journal.Synced)
					}
					if err != nil || !j.Reached(seq, journal.Synced) {
						t.Errorf("%s of %d: %v", e.Kind, n, err)
					}
				}
			}
		})
	}
	wg.Wait()
	cancel()
	<-stopped
	if got := len(readAll(t, j)); got != 640 {
		t.Errorf("%d entries", got)
	}
	if syncs := disk.syncs(); syncs == 0 || syncs > 640 {
		t.Errorf("%d fsyncs for 640 entries", syncs)
	}
}

// countingDisk counts fsyncs of files.
type countingDisk struct {
	journal.Folder
	mu sync.Mutex
	n  int
}

func (d *countingDisk) syncs() int { d.mu.Lock(); defer d.mu.Unlock(); return d.n }

func (d *countingDisk) Create(name string) (journal.File, error) {
	f, err := d.Folder.Create(name)
	return countingFile{f, d}, err
}

type countingFile struct {
	journal.File
	d *countingDisk
}

func (f countingFile) Sync() error {
	f.d.mu.Lock()
	f.d.n++
	f.d.mu.Unlock()
	return f.File.Sync()
}

// TestFailingFsync fails an fsync: no entry is called durable by it, the file is
// not used again, everything is appended to a new segment (E-19).
func TestFailingFsync(t *testing.T) {
	disk := &failingDisk{Folder: folder(t)}
	j, _ := open(t, journal.Config{Disk: disk})
	appendAll(t, j, openEntry(1))
	disk.failSyncs = 1
	appendAll(t, j, posting(1, journal.Terminal, 5)) // a new segment takes it at once
	if s := j.Stats(); s.Segments != 2 || s.Synced != s.Last {
		t.Errorf("after one failure: %+v", s)
	}
	disk.failSyncs = 1 << 30
	seq, err := j.Append(openEntry(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(); err == nil {
		t.Fatal("a flush without fsync succeeded")
	}
	if err := j.Wait(context.Background(), seq, journal.Synced); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("waiting meanwhile: %v", err)
	}
	if _, err := j.Append(openEntry(3)); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("an OPEN meanwhile: %v", err)
	}
	if _, err := j.Append(posting(2, journal.Terminal, 5)); err != nil {
		t.Errorf("an ending meanwhile: %v", err)
	}
	for range 10 {
		if err := j.Flush(); err == nil {
			t.Fatal("a flush without fsync succeeded")
		}
	}
	if s := j.Stats(); s.Segments > 4 {
		t.Errorf("%d segments pile up", s.Segments)
	}
	disk.failSyncs = 0
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	next, rec := open(t, journal.Config{Disk: disk})
	if all := readAll(t, next); len(all) != 4 || len(rec.Damage) != 0 || rec.Unfinished != 0 {
		t.Errorf("%d entries, %+v", len(all), rec)
	}
}

// failingDisk fails the next fsyncs and short-writes on demand.
type failingDisk struct {
	journal.Folder
	failSyncs, failWrites int
}

func (d *failingDisk) Create(name string) (journal.File, error) {
	f, err := d.Folder.Create(name)
	return failingFile{f, d}, err
}

type failingFile struct {
	journal.File
	d *failingDisk
}

func (f failingFile) Sync() error {
	if f.d.failSyncs > 0 {
		f.d.failSyncs--
		return errors.New("input/output error")
	}
	return f.File.Sync()
}

func (f failingFile) Write(b []byte) (int, error) {
	if f.d.failWrites > 0 && len(b) > 72 {
		f.d.failWrites--
		n, _ := f.File.Write(b[:len(b)/2])
		return n, errors.New("no space left on device")
	}
	return f.File.Write(b)
}

// TestDiskFull fails writes half-way for a while: nothing is lost, and it
// recovers unaided (E-18).
func TestDiskFull(t *testing.T) {
	disk := &failingDisk{Folder: folder(t)}
	j, _ := open(t, journal.Config{Disk: disk})
	for n := range 30 {
		disk.failWrites = n % 4
		for _, e := range []*journal.Entry{openEntry(n), posting(n, journal.Terminal, 5)} {
			if _, err := j.Append(e); err != nil {
				t.Fatal(err)
			}
			for j.Flush() != nil {
			}
		}
	}
	j.Close()
	next, rec := open(t, journal.Config{Disk: disk})
	if all := readAll(t, next); len(all) != 60 || len(rec.Damage) != 0 || rec.Unfinished != 0 {
		t.Errorf("%d entries, %+v", len(all), rec)
	}
}

// TestNumbersAreNeverReused loses the end of a journal that the books already
// know: what comes later must not be taken for it.
func TestNumbersAreNeverReused(t *testing.T) {
	disk := folder(t)
	j, _ := open(t, journal.Config{Disk: disk})
	appendAll(t, j, openEntry(1), posting(1, journal.Terminal, 5))
	known := j.Stats().Synced
	j.Close()
	path := filepath.Join(string(disk), "journal-000000000001.log")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-5); err != nil {
		t.Fatal(err)
	}
	next, _ := open(t, journal.Config{Disk: disk})
	if seq, err := next.Append(openEntry(2)); err != nil || seq <= known {
		t.Errorf("%s, %v; the books know %s", seq, err, known)
	}
}

// TestAppendAllocs keeps the hot path free of garbage: append and wait happen
// twice for each request.
func TestAppendAllocs(t *testing.T) {
	j, _ := open(t, journal.Config{Disk: folder(t)})
	entries := []*journal.Entry{openEntry(1), posting(1, journal.Progress, 1), posting(1, journal.Terminal, 2)}
	round := func() {
		for _, e := range entries {
			if _, err := j.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := j.Wait(context.Background(), entries[2].Seq, journal.Synced); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if allocs := testing.AllocsPerRun(200, round); allocs > 0 {
		t.Errorf("%.1f allocations for a request", allocs)
	}
}
