package seal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fileLimit bounds what is read of a key file; a key takes 65 bytes.
const fileLimit = 4096

// Parse reads a master key from a setting: 32 bytes as hex or base64, standard
// or URL-safe, padded or not. The error never repeats the value.
func Parse(text string) (*Keyring, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("seal: the master key is empty")
	}
	if b, err := hex.DecodeString(text); err == nil && len(b) == masterSize {
		return New(b)
	}
	unpadded := strings.TrimRight(text, "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := enc.DecodeString(unpadded); err == nil && len(b) == masterSize {
			return New(b)
		}
	}
	return nil, errors.New("seal: the master key must be 32 bytes in hex or base64, for instance from `openssl rand -hex 32`")
}

// LoadOrCreate reads the master key from a file, or draws one and writes it
// with mode 0600. A file that others may read is refused. Two processes that
// create at once end up with the same key.
func LoadOrCreate(path string) (*Keyring, error) {
	k, err := load(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("seal: create master key %s: %w", path, err)
		}
		k, err = load(path)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: read master key %s: %w", path, err)
	}
	return k, nil
}

// load reads a key file after checking that it is private.
func load(path string) (*Keyring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("mode %v lets others read it; run chmod 600", info.Mode().Perm())
	}
	if info.Size() > fileLimit {
		return nil, fmt.Errorf("%d bytes are no key", info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(string(b))
}

// create writes a fresh key beside path and links it into place, so that a
// crash leaves a whole key or none, and an existing one is never replaced.
func create(path string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".master-*") // CreateTemp gives mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	master := make([]byte, masterSize)
	rand.Read(master)
	_, err = fmt.Fprintln(tmp, hex.EncodeToString(master))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new directory entry survive a power cut: losing the key file
// would lose every sealed secret.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// weakness says why 32 bytes cannot have been drawn at random, or "". Each rule
// refuses a random key less often than once in 10^12.
func weakness(master []byte) string {
	distinct := map[byte]bool{}
	printable, constantStep := true, true
	for i, b := range master {
		distinct[b] = true
		printable = printable && b >= 0x20 && b < 0x7f
		constantStep = constantStep && (i == 0 || b-master[i-1] == master[1]-master[0])
	}
	switch {
	case len(distinct) < 16:
		return "it repeats a few bytes"
	case constantStep:
		return "it counts up or down"
	case printable:
		return "it is readable text"
	}
	return ""
}
