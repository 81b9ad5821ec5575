package link

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// lastGoodMagic begins the file: its format and version, in clear.
const lastGoodMagic = "sluice last good snapshot 1\n"

// lastGoodPlace binds the file's seal to what it is.
var lastGoodPlace = seal.Place{Tenant: sluice.PlatformTenant, Table: "last-good", Row: "snapshot", Field: "file"}

// lastGood is what the file holds.
type lastGood struct {
	// Confirmed is when Redis was last seen to hold the snapshot.
	Confirmed time.Time        `json:"confirmed"`
	Snapshot  *sluice.Snapshot `json:"snapshot"`
}

// saver keeps the last good file.
type saver struct {
	path    string
	keyring *seal.Keyring
	every   time.Duration
	// refresh is how old the file's confirmation may get: what a restart with
	// Redis away loses of MaxStale.
	refresh time.Duration
	log     *slog.Logger
	offers  chan lastGood // the latest that run has not seen
	saved   lastGood      // run's alone
}

func newSaver(cfg ReaderConfig) *saver {
	return &saver{
		path: cfg.LastGood, keyring: cfg.Keyring, every: cfg.SaveEvery, refresh: cfg.MaxStale / 16, log: cfg.Log,
		offers: make(chan lastGood, 1),
	}
}

// offer hands over the latest state and returns at once: writing a large file
// must not delay the next change. Only one goroutine may offer.
func (s *saver) offer(l lastGood) {
	select {
	case <-s.offers:
	default:
	}
	s.offers <- l
}

// run writes what is offered until ctx is done, and then the last of it.
func (s *saver) run(ctx context.Context) {
	for {
		select {
		case l := <-s.offers:
			s.save(l)
		case <-ctx.Done():
			select {
			case l := <-s.offers:
				s.save(l)
			default:
			}
			return
		}
		pause := time.NewTimer(s.every)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// save writes the file unless it says the same already.
func (s *saver) save(l lastGood) {
	if s.saved.Snapshot == l.Snapshot && l.Confirmed.Sub(s.saved.Confirmed) < s.refresh {
		return
	}
	if err := s.write(l); err != nil {
		s.log.Error("the last good configuration was not saved", "file", s.path, "error", err)
		return
	}
	s.saved = l
}

// write replaces the file so that a crash leaves the old one or the new one.
func (s *saver) write(l lastGood) error {
	plain, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	sealed := s.keyring.SealBytes(lastGoodPlace, plain)
	sum := sha256.Sum256(sealed)
	tmp, err := os.CreateTemp(filepath.Dir(s.path), ".last-good-*") // CreateTemp gives mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(bytes.Join([][]byte{[]byte(lastGoodMagic), sum[:], sealed}, nil))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), s.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// load reads the file. A file that is absent, damaged, sealed under another key
// or of a newer schema is an error that says which.
func (s *saver) load() (lastGood, error) {
	var l lastGood
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("there is none at %s", s.path)
	}
	if err != nil {
		return l, err
	}
	rest, ok := bytes.CutPrefix(b, []byte(lastGoodMagic))
	if !ok || len(rest) < sha256.Size {
		return l, fmt.Errorf("%s is not a last good file of this version", s.path)
	}
	if sum := sha256.Sum256(rest[sha256.Size:]); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return l, fmt.Errorf("%s is damaged: its checksum does not match", s.path)
	}
	plain, err := s.keyring.OpenBytes(lastGoodPlace, rest[sha256.Size:])
	if err != nil {
		return l, fmt.Errorf("open %s: %w", s.path, err)
	}
	if err := json.Unmarshal(plain, &l); err != nil || l.Snapshot == nil {
		return l, fmt.Errorf("%s holds no snapshot: %w", s.path, err)
	}
	if l.Snapshot.Schema > sluice.SnapshotSchema {
		return l, sluice.Errorf(sluice.CodeSchemaNewer, "the last good file has schema %d, this gateway reads up to %d", l.Snapshot.Schema, sluice.SnapshotSchema)
	}
	return l, nil
}
