package link

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/sluicegate/sluice/internal/seal"
)

// A last good file is a random id and then parts, each sealed by itself for its
// place in this file: nothing can be taken out, exchanged or cut off unnoticed.
// One part is little: hashing or sealing does not let the collector stop the
// world before it is done, and every request would wait for it.
const (
	partSize   = 64 << 10
	fileIDSize = 16
	// partHead is whether this is the last part, the length of what is sealed,
	// and its checksum.
	partHead = 1 + 4 + sha256.Size
	// restShare is how many times as long as a part took its writer then rests:
	// requests come first.
	restShare   = 3
	longestRest = 50 * time.Millisecond
)

// Kinds of parts, as the file and the seal say.
const (
	partMiddle = 'p'
	partLast   = 'e'
)

// errDamagedFile tells that a last good file is not what was written.
var errDamagedFile = errors.New("its checksum does not match")

// partPlace binds a part's seal to what it is.
func partPlace(id []byte, number int, kind byte) seal.Place {
	p := lastGoodPlace
	p.Row, p.Field = hex.EncodeToString(id)+"/"+strconv.Itoa(number), string(kind)
	return p
}

// partWriter seals what is written to it. Close ends the last part.
type partWriter struct {
	to      io.Writer
	keyring *seal.Keyring
	id      [fileIDSize]byte
	number  int
	plain   []byte
	began   time.Time
	// rest is called after each part with the time that it took; nil never rests.
	rest func(took time.Duration)
}

// newPartWriter begins a file.
func newPartWriter(to io.Writer, keyring *seal.Keyring, rest func(time.Duration)) (*partWriter, error) {
	w := &partWriter{to: to, keyring: keyring, plain: make([]byte, 0, partSize), began: time.Now(), rest: rest}
	rand.Read(w.id[:]) // never fails; see crypto/rand
	_, err := to.Write(w.id[:])
	return w, err
}

// Write implements io.Writer.
func (w *partWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(w.plain) == partSize {
			if err := w.flush(partMiddle); err != nil {
				return n, err
			}
		}
		taken := min(len(p), partSize-len(w.plain))
		w.plain = append(w.plain, p[:taken]...)
		p, n = p[taken:], n+taken
	}
	return n, nil
}

// Close writes the last part.
func (w *partWriter) Close() error { return w.flush(partLast) }

func (w *partWriter) flush(kind byte) error {
	sealed := w.keyring.SealBytes(partPlace(w.id[:], w.number, kind), w.plain)
	sum := sha256.Sum256(sealed)
	head := append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(sealed))), sum[:]...)
	if _, err := w.to.Write(append(head, sealed...)); err != nil {
		return err
	}
	w.number, w.plain = w.number+1, w.plain[:0]
	if w.rest != nil {
		w.rest(time.Since(w.began))
	}
	w.began = time.Now()
	return nil
}

// restUntil returns how a writer rests, until ctx is done: then all that counts
// is to be ready.
func restUntil(ctx context.Context) func(time.Duration) {
	return func(took time.Duration) {
		if ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(min(restShare*took, longestRest))
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// openParts returns what was written through a [partWriter]: errDamagedFile when
// something is not as it was, [seal.ErrKey] under another master key.
func openParts(file []byte, keyring *seal.Keyring) ([]byte, error) {
	if len(file) < fileIDSize {
		return nil, errDamagedFile
	}
	id, rest := file[:fileIDSize], file[fileIDSize:]
	var plain bytes.Buffer
	plain.Grow(len(rest))
	for number := 0; ; number++ {
		if len(rest) < partHead {
			return nil, errDamagedFile
		}
		kind, size, sum := rest[0], int64(binary.BigEndian.Uint32(rest[1:5])), rest[5:partHead]
		if rest = rest[partHead:]; int64(len(rest)) < size {
			return nil, errDamagedFile
		}
		sealed := rest[:size]
		if got := sha256.Sum256(sealed); !bytes.Equal(got[:], sum) {
			return nil, errDamagedFile
		}
		part, err := keyring.OpenBytes(partPlace(id, number, kind), sealed)
		if err != nil {
			return nil, err
		}
		plain.Write(part)
		rest = rest[size:]
		if kind == partLast && len(rest) == 0 {
			return plain.Bytes(), nil
		}
		if kind != partMiddle {
			return nil, errDamagedFile
		}
	}
}
