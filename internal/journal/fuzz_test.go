package journal_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/sluicegate/sluice/internal/journal"
)

// FuzzRecovery opens journals of any content: whatever lies on a disk, recovery
// must not panic, must go on afterwards, and must serve what it counted (E-38).
func FuzzRecovery(f *testing.F) {
	disk := folder(f)
	j, _ := open(f, journal.Config{Disk: disk})
	appendAll(f, j, openEntry(1), posting(1, journal.Progress, 5), posting(1, journal.Terminal, 6), openEntry(2))
	whole, err := os.ReadFile(filepath.Join(string(disk), "journal-000000000001.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-9])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		torn := memory{"journal-000000000001.log": &memoryFile{content: append([]byte(nil), content...)}}
		j, rec, err := journal.OpenJournal(journal.Config{Disk: torn})
		if err != nil {
			return // written by a newer version
		}
		defer j.Close()
		if err := j.EndCrashed(rec, now); err != nil {
			t.Fatalf("%v after %+v", err, rec)
		}
		entries := 0
		for _, e := range readAll(t, j) {
			if e.Kind != journal.Lost {
				entries++
			}
		}
		if entries < rec.Entries {
			t.Fatalf("recovery counted %d entries, %d can be read", rec.Entries, entries)
		}
	})
}

// memory is a disk for fuzzing, where files of the operating system are slow.
type memory map[string]*memoryFile

func (m memory) List() (names []string, err error) {
	for name := range m {
		names = append(names, name)
	}
	return names, nil
}

func (m memory) Create(name string) (journal.File, error) {
	m[name] = &memoryFile{}
	return m[name], nil
}

func (m memory) Open(name string) (journal.File, error) {
	if m[name] == nil {
		return nil, fs.ErrNotExist
	}
	return m[name], nil
}

func (m memory) Remove(name string) error { delete(m, name); return nil }
func (m memory) Sync() error              { return nil }

type memoryFile struct{ content []byte }

func (f *memoryFile) Write(b []byte) (int, error) {
	f.content = append(f.content, b...)
	return len(b), nil
}

func (f *memoryFile) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(f.content)) {
		return 0, io.EOF
	}
	n := copy(b, f.content[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) Size() (int64, error) { return int64(len(f.content)), nil }
func (f *memoryFile) Sync() error          { return nil }
func (f *memoryFile) Close() error         { return nil }

// FuzzDecodeBatch decodes what other processes post: it must not panic, must keep
// numbers in order, and what it accepts must survive another journey unchanged.
func FuzzDecodeBatch(f *testing.F) {
	open, end := openEntry(1), posting(1, journal.Terminal, 6)
	open.Seq, end.Seq = 1, 2
	lost := journal.Entry{Seq: 3, Kind: journal.Lost, Through: 9}
	f.Add(journal.AppendBatch(nil, []journal.Entry{*open, *end, lost}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := journal.DecodeBatch(b)
		if err != nil {
			return
		}
		last := journal.Seq(0)
		for _, e := range entries {
			if e.Seq <= last {
				t.Fatalf("%s follows %s", e.Seq, last)
			}
			last = max(e.Seq, e.Through)
		}
		again, err := journal.DecodeBatch(journal.AppendBatch(nil, entries))
		if err != nil || !reflect.DeepEqual(again, entries) {
			t.Fatalf("%+v came back as %+v, %v", entries, again, err)
		}
	})
}
