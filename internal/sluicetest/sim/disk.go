package sim

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/sluicegate/sluice/internal/journal"
)

// disk is a folder that loses what was not synced when the power fails.
type disk struct {
	w       *World
	files   map[string]*file
	durable map[string]*file // the names that survive a power loss
	archive map[string][]byte
}

// file is append-only content: what is durable, and what only the page cache
// has.
type file struct {
	d       *disk
	content []byte
	synced  int  // how much of it is durable
	doomed  bool // a failed fsync has marked pages clean that are not durable
}

const sector = 512

func newDisk(w *World) *disk {
	return &disk{w: w, files: map[string]*file{}, durable: map[string]*file{}, archive: map[string][]byte{}}
}

var errDisk = errors.New("simulated: input/output error")

// List implements [journal.Disk].
func (d *disk) List() (names []string, err error) {
	for name := range d.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Create implements [journal.Disk].
func (d *disk) Create(name string) (journal.File, error) {
	d.w.pause("disk.create")
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	if d.w.chance(d.w.opts.DiskFaults) {
		return nil, errDisk
	}
	d.files[name] = &file{d: d}
	return d.files[name], nil
}

// Open implements [journal.Disk].
func (d *disk) Open(name string) (journal.File, error) {
	if d.files[name] == nil {
		return nil, fs.ErrNotExist
	}
	return d.files[name], nil
}

// Remove implements [journal.Disk].
func (d *disk) Remove(name string) error {
	d.w.pause("disk.remove")
	if f := d.files[name]; f != nil {
		d.archive[name] = slices.Clone(f.content)
		delete(d.files, name)
	}
	return nil
}

// Sync implements [journal.Disk].
func (d *disk) Sync() error {
	d.w.pause("disk.sync")
	if d.w.chance(d.w.opts.DiskFaults) {
		return errDisk
	}
	clear(d.durable)
	for name, f := range d.files {
		d.durable[name] = f
	}
	return nil
}

// powerLoss forgets what was not synced: names by chance, content by sectors.
func (d *disk) powerLoss() {
	names, _ := d.List()
	for name := range d.durable {
		if d.files[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		f, safe := d.files[name], d.durable[name]
		if f != safe && d.w.rng.IntN(2) == 0 {
			f = safe // a creation or removal that had not reached the disk
		}
		if f == nil {
			delete(d.files, name)
			continue
		}
		f.lose()
		d.files[name], d.durable[name] = f, f
	}
	for name := range d.durable {
		if d.files[name] == nil {
			delete(d.durable, name)
		}
	}
}

// lose keeps what is synced, and of the rest whatever sectors the disk had got
// to: an earlier one may be missing where a later one is there.
func (f *file) lose() {
	rng := f.d.w.rng
	kept := slices.Clone(f.content[:f.synced+rng.IntN(len(f.content)-f.synced+1)])
	holes := rng.IntN(2) == 0
	for at := f.synced; at < len(kept); {
		next := min(at-at%sector+sector, len(kept))
		if f.doomed || holes && rng.IntN(2) == 0 {
			clear(kept[at:next])
		}
		at = next
	}
	f.content, f.synced, f.doomed = kept, len(kept), false
}

// Write implements [journal.File]; a crash may come half-way.
func (f *file) Write(b []byte) (int, error) {
	w := f.d.w
	w.pause("disk.write")
	if w.rng.IntN(4) == 0 {
		cut := w.rng.IntN(len(b) + 1)
		f.content = append(f.content, b[:cut]...)
		w.pause("disk.write.half")
		if w.chance(w.opts.DiskFaults) {
			return cut, errDisk
		}
		f.content = append(f.content, b[cut:]...)
	} else {
		f.content = append(f.content, b...)
	}
	w.pause("disk.written")
	return len(b), nil
}

// ReadAt implements [journal.File].
func (f *file) ReadAt(b []byte, off int64) (int, error) {
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
func (f *file) Size() (int64, error) { return int64(len(f.content)), nil }

// Close implements [journal.File].
func (f *file) Close() error { return nil }

// Sync implements [journal.File]. After a failure the pages count as clean: the
// next Sync succeeds and saves nothing of them, as real kernels do.
func (f *file) Sync() error {
	w := f.d.w
	upTo := len(f.content)
	w.pause("disk.fsync")
	if w.chance(w.opts.DiskFaults) {
		f.doomed = true
		return errDisk
	}
	if !f.doomed {
		f.synced = max(f.synced, upTo)
	}
	w.pause("disk.fsynced")
	return nil
}
