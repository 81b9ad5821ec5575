package link

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// DigestForTest is a manifest's line for a hash.
func DigestForTest(fields map[string]string) string {
	var d digest
	for f, v := range fields {
		d.add(entry{f, v})
	}
	return d.String()
}

// IDField is the field of an id.
func IDField(id uint64) string { return strconv.FormatUint(id, 10) }

// TakeForTest reads a script's answer with one touched field, takes it over, and
// takes it away again.
func TakeForTest(rev, manifestRev, schema, digest, hash, field, value string) (*sluice.Snapshot, error) {
	pairs := []any{"rev", manifestRev, "schema", schema}
	for _, h := range hashes {
		pairs = append(pairs, h, digest)
	}
	v, err := parseView([]any{rev, pairs, int64(1), hash, field, "1", value})
	if err != nil {
		return nil, err
	}
	m := newMirror()
	m.apply(v)
	s := m.snapshot()
	v.fields[0].deleted = true
	m.apply(v)
	m.snapshot()
	for i, d := range m.digests {
		if d != (digestOfNothing) || len(m.fields[i]) > 0 {
			panic("something is left of what was taken away")
		}
	}
	return s, nil
}

var digestOfNothing digest

// SealParts writes a text as a last good file does.
func SealParts(t testing.TB, keyring *seal.Keyring, text []byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := newPartWriter(&file, keyring, nil)
	if err == nil {
		_, err = w.Write(text)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// OpenParts reads what SealParts gave.
var OpenParts = openParts
