package app

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluicegate/sluice/internal/journal"
)

// maxScratch bounds what reading a journal writes beside it: the endings of what
// a crash left open, and copies of its last entries.
const maxScratch = 256 << 20

// readOnly is the folder of a journal that is read and never changed: what
// opening it writes lies in memory.
type readOnly struct {
	folder  string
	scratch map[string]*scratchFile
}

func newReadOnly(folder string) (*readOnly, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return nil, fmt.Errorf("reading a journal: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not the folder of a journal", folder)
	}
	return &readOnly{folder: folder, scratch: map[string]*scratchFile{}}, nil
}

// List implements [journal.Disk].
func (d *readOnly) List() ([]string, error) {
	names, err := journal.Folder(d.folder).List()
	for name := range d.scratch {
		names = append(names, name)
	}
	return names, err
}

// Create implements [journal.Disk].
func (d *readOnly) Create(name string) (journal.File, error) {
	f := &scratchFile{}
	d.scratch[name] = f
	return f, nil
}

// Open implements [journal.Disk].
func (d *readOnly) Open(name string) (journal.File, error) {
	if f := d.scratch[name]; f != nil {
		return f, nil
	}
	f, err := os.Open(filepath.Join(d.folder, name))
	if err != nil {
		return nil, err
	}
	return readOnlyFile{f}, nil
}

// Remove implements [journal.Disk]; files of the folder stay.
func (d *readOnly) Remove(string) error { return nil }

// Sync implements [journal.Disk].
func (*readOnly) Sync() error { return nil }

// readOnlyFile is a file of the folder.
type readOnlyFile struct{ *os.File }

// Write implements [journal.File]; nothing is written to what another process
// left.
func (f readOnlyFile) Write([]byte) (int, error) { return 0, fs.ErrPermission }

// Sync implements [journal.File].
func (f readOnlyFile) Sync() error { return nil }

// Size implements [journal.File].
func (f readOnlyFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// scratchFile is a file in memory.
type scratchFile struct{ content []byte }

// Write implements [journal.File].
func (f *scratchFile) Write(b []byte) (int, error) {
	if len(f.content)+len(b) > maxScratch {
		return 0, fmt.Errorf("more than %d bytes of a journal are not durable", maxScratch)
	}
	f.content = append(f.content, b...)
	return len(b), nil
}

// ReadAt implements [journal.File].
func (f *scratchFile) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(f.content)) {
		return 0, io.EOF
	}
	n := copy(b, f.content[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Size implements [journal.File].
func (f *scratchFile) Size() (int64, error) { return int64(len(f.content)), nil }

// Sync implements [journal.File].
func (*scratchFile) Sync() error { return nil }

// Close implements [journal.File].
func (*scratchFile) Close() error { return nil }
