package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Disk is the folder that a journal lives in. [Folder] is the real one; tests
// put one in its place that fails and forgets like real ones do.
type Disk interface {
	// List returns the names of all files, in any order.
	List() ([]string, error)
	// Create makes a file that must not exist yet and opens it for appending.
	// The name survives a power loss once Sync has returned nil.
	Create(name string) (File, error)
	// Open opens a file to read it, and to sync what a former process wrote.
	Open(name string) (File, error)
	// Remove deletes a file, durably once Sync has returned nil.
	Remove(name string) error
	// Sync makes creations and removals durable.
	Sync() error
}

// File is one segment. Write appends; a failed or short Write or Sync leaves the
// content behind the last successful Sync undefined, and the journal never
// writes to that file again.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	// Size is the current length in bytes.
	Size() (int64, error)
	// Sync makes what was written durable.
	Sync() error
}

// Folder is a Disk in a folder of the file system.
type Folder string

// NewFolder returns a Disk in the folder, which it creates with mode 0700.
func NewFolder(path string) (Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("creating the journal's folder: %w", err)
	}
	return Folder(path), nil
}

// List implements [Disk].
func (f Folder) List() ([]string, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Create implements [Disk].
func (f Folder) Create(name string) (File, error) {
	file, err := os.OpenFile(filepath.Join(string(f), name), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	return osFile{file}, err
}

// Open implements [Disk].
func (f Folder) Open(name string) (File, error) {
	file, err := os.OpenFile(filepath.Join(string(f), name), os.O_RDWR, 0)
	return osFile{file}, err
}

// Remove implements [Disk].
func (f Folder) Remove(name string) error {
	if err := os.Remove(filepath.Join(string(f), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sync implements [Disk].
func (f Folder) Sync() error {
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// osFile is a file of the operating system.
type osFile struct{ *os.File }

// Size implements [File].
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
