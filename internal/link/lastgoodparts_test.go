package link_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Losing this means that somebody can shorten the last good file, or mix two of
// them, and so bring a revoked key back.
func TestLastGoodParts(t *testing.T) {
	keyring := testKeyring(t, 6)
	text := bytes.Repeat([]byte("0123456789abcdef"), 10_000) // 160 KB: three parts
	file := link.SealParts(t, keyring, text)
	other := link.SealParts(t, keyring, text)
	if got, err := link.OpenParts(file, keyring); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if got, err := link.OpenParts(link.SealParts(t, keyring, nil), keyring); err != nil || len(got) != 0 {
		t.Errorf("nothing: %q, %v", got, err)
	}
	if _, err := link.OpenParts(file, testKeyring(t, 7)); !errors.Is(err, seal.ErrKey) {
		t.Errorf("another key: %v", err)
	}
	id, parts := partsOf(file)
	otherID, others := partsOf(other)
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for name, bad := range map[string][]byte{
		"empty":               nil,
		"cut":                 file[:len(file)-1],
		"longer":              append(slices.Clone(file), 0),
		"without its end":     slices.Concat(id, parts[0], parts[1]),
		"of another file":     slices.Concat(otherID, parts[0], parts[1], parts[2]),
		"one of another file": slices.Concat(id, parts[0], others[1], parts[2]),
		"exchanged":           slices.Concat(id, parts[1], parts[0], parts[2]),
		"its end alone":       slices.Concat(id, parts[2]),
	} {
		if got, err := link.OpenParts(bad, keyring); err == nil {
			t.Errorf("%s: %d bytes are believed", name, len(got))
		}
	}
}

// partsOf cuts a file.
func partsOf(file []byte) (id []byte, parts [][]byte) {
	const idSize, head = 16, 37
	for rest := file[idSize:]; len(rest) > 0; {
		size := head + int(binary.BigEndian.Uint32(rest[1:]))
		parts, rest = append(parts, rest[:size]), rest[size:]
	}
	return file[:idSize], parts
}

// Losing this means that a gateway whose Redis is away does not serve after an
// upgrade: it cannot read what the version before has written.
func TestLastGoodOfTheVersionBefore(t *testing.T) {
	server := sluicetest.Redis(t)
	cfg := readerConfig(t, server)
	server.Stop(t, syscall.SIGKILL)
	keyring := testKeyring(t, 8)
	cfg.LastGood, cfg.Keyring = filepath.Join(t.TempDir(), "last-good.snap"), keyring
	s := newWorld(12).change()
	keys := s.Keys
	s.Keys = nil
	plain, err := json.Marshal(map[string]any{"confirmed": "2026-01-01T00:00:00Z", "snapshot": s, "keys": keys})
	must(t, err)
	sealed := keyring.SealBytes(seal.Place{Tenant: sluice.PlatformTenant, Table: "last-good", Row: "snapshot", Field: "file"}, plain)
	sum := sha256.Sum256(sealed)
	must(t, os.WriteFile(cfg.LastGood, slices.Concat([]byte("sluice last good snapshot 1\n"), sum[:], sealed), 0o600))
	r, stop := reader(t, cfg)
	defer stop()
	if got := reach(t, r, s.Revision); len(got.Keys) != len(keys) {
		t.Errorf("%d keys of %d", len(got.Keys), len(keys))
	}
}

// FuzzOpenParts: a file that anybody may have written never ends the gateway.
func FuzzOpenParts(f *testing.F) {
	keyring := testKeyring(f, 9)
	f.Add(link.SealParts(f, keyring, []byte("text")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		if plain, err := link.OpenParts(file, keyring); err == nil {
			_, _ = io.Discard.Write(plain)
		}
	})
}
