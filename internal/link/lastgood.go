package link

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// lastGoodMagic begins the file: its format and version, in clear. Version 1, one
// sealed piece behind its checksum, is still read.
const (
	lastGoodMagic    = "sluice last good snapshot 2\n"
	lastGoodMagicOne = "sluice last good snapshot 1\n"
)

// Limits of writing the file.
const (
	// keptInUse is for how long a key that was used is kept in the file, when the
	// file cannot hold all keys.
	keptInUse = 24 * time.Hour
	// saveShare and longestPause keep a large file from costing more than a
	// fiftieth of the time while the configuration changes all the time.
	saveShare    = 50
	longestPause = time.Minute
)

// lastGoodPlace binds the file's seal to what it is.
var lastGoodPlace = seal.Place{Tenant: sluice.PlatformTenant, Table: "last-good", Row: "snapshot", Field: "file"}

// lastGood is what the file holds.
type lastGood struct {
	// Confirmed is when Redis was last seen to hold the snapshot.
	Confirmed time.Time        `json:"confirmed"`
	Snapshot  *sluice.Snapshot `json:"snapshot"`
	// Keys are the snapshot's: beside it, so that they can be encoded one by one.
	Keys []*sluice.Key `json:"keys"`
}

// encode writes the state, key by key: in one piece, many keys would take several
// times their memory.
func (l lastGood) encode(w io.Writer) error {
	if l.Snapshot == nil {
		return json.NewEncoder(w).Encode(l)
	}
	rest := *l.Snapshot
	rest.Keys = nil
	head, err := json.Marshal(lastGood{Confirmed: l.Confirmed, Snapshot: &rest})
	if err != nil {
		return err
	}
	separator := append(bytes.TrimSuffix(head, []byte("null}")), '[') // in place of its keys, which come last
	each := json.NewEncoder(w)
	for _, k := range l.Snapshot.Keys {
		if _, err := w.Write(separator); err != nil {
			return err
		}
		if err := each.Encode(k); err != nil {
			return err
		}
		separator = []byte(",")
	}
	if len(l.Snapshot.Keys) == 0 {
		_, err = w.Write(separator)
	}
	_, end := io.WriteString(w, "]}")
	return errors.Join(err, end)
}

// saver keeps the last good file.
type saver struct {
	path    string
	keys    *keyCache // of those in use, when the snapshot has none
	keyring *seal.Keyring
	every   time.Duration
	// refresh is how old the file's confirmation may get: what a restart with
	// Redis away loses of MaxStale.
	refresh time.Duration
	log     *slog.Logger
	offers  chan lastGood // the latest that run has not seen
	saved   lastGood      // run's alone
	arrived uint64        // what the cache had counted then
}

func newSaver(cfg ReaderConfig, keys *keyCache) *saver {
	return &saver{
		path: cfg.LastGood, keys: keys, keyring: cfg.Keyring, every: cfg.SaveEvery, refresh: cfg.MaxStale / 16, log: cfg.Log,
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
		var pause time.Duration
		select {
		case l := <-s.offers:
			began := time.Now()
			s.save(ctx, l)
			pause = min(max(s.every, saveShare*time.Since(began)), max(s.every, longestPause))
		case <-ctx.Done():
			select {
			case l := <-s.offers:
				s.save(ctx, l)
			default:
			}
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// save writes the file unless it says the same already. It takes its time until
// ctx is done.
func (s *saver) save(ctx context.Context, l lastGood) {
	arrived := s.keys.arrivals()
	if s.saved.Snapshot == l.Snapshot && s.arrived == arrived && l.Confirmed.Sub(s.saved.Confirmed) < s.refresh {
		return
	}
	if err := s.write(ctx, s.withKeys(l)); err != nil {
		s.log.Error("the last good configuration was not saved", "file", s.path, "error", err)
		return
	}
	s.saved, s.arrived = l, arrived
}

// withKeys adds the keys in use to a snapshot that leaves keys out.
func (s *saver) withKeys(l lastGood) lastGood {
	if l.Snapshot == nil || !l.Snapshot.MoreKeys {
		return l
	}
	whole := *l.Snapshot
	whole.Keys = s.keys.since(l.Confirmed.Add(-keptInUse))
	l.Snapshot = &whole
	return l
}

// write replaces the file so that a crash leaves the old one or the new one.
func (s *saver) write(ctx context.Context, l lastGood) error {
	tmp, err := os.CreateTemp(filepath.Dir(s.path), ".last-good-*") // CreateTemp gives mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = s.fill(ctx, tmp, l)
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

// fill writes the content of a file.
func (s *saver) fill(ctx context.Context, to io.Writer, l lastGood) error {
	if _, err := io.WriteString(to, lastGoodMagic); err != nil {
		return err
	}
	parts, err := newPartWriter(to, s.keyring, restUntil(ctx))
	if err != nil {
		return err
	}
	if err := l.encode(parts); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return parts.Close()
}

// exists reports whether there is a file to load.
func (s *saver) exists() bool {
	_, err := os.Stat(s.path)
	return err == nil
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
	plain, err := s.open(b)
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(plain, &l); err != nil || l.Snapshot == nil {
		return l, fmt.Errorf("%s holds no snapshot: %w", s.path, err)
	}
	if l.Keys != nil {
		l.Snapshot.Keys = l.Keys
	}
	if l.Snapshot.Schema > sluice.SnapshotSchema {
		return l, sluice.Errorf(sluice.CodeSchemaNewer, "the last good file has schema %d, this gateway reads up to %d", l.Snapshot.Schema, sluice.SnapshotSchema)
	}
	return l, nil
}

// open returns what the file's parts, or the one piece of version 1, say.
func (s *saver) open(file []byte) (plain []byte, err error) {
	if parts, ok := bytes.CutPrefix(file, []byte(lastGoodMagic)); ok {
		plain, err = openParts(parts, s.keyring)
	} else if rest, ok := bytes.CutPrefix(file, []byte(lastGoodMagicOne)); ok && len(rest) >= sha256.Size {
		plain, err = s.openOne(rest[:sha256.Size], rest[sha256.Size:])
	} else {
		return nil, fmt.Errorf("%s is not a last good file of this version", s.path)
	}
	switch {
	case errors.Is(err, errDamagedFile):
		return nil, fmt.Errorf("%s is damaged: %w", s.path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", s.path, err)
	}
	return plain, nil
}

// openOne opens the one piece of version 1.
func (s *saver) openOne(want, sealed []byte) ([]byte, error) {
	if sum := sha256.Sum256(sealed); !bytes.Equal(sum[:], want) {
		return nil, errDamagedFile
	}
	return s.keyring.OpenBytes(lastGoodPlace, sealed)
}
