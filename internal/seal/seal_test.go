package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluicegate/sluice/internal/seal"
)

// hexKey is a key drawn at random once.
const hexKey = "8f1d7a0be3c95264d0aa17ce3b5e98f6417c02bd6fa9e85310d4b7263ac8f19e"

func keyring(t *testing.T, text string) *seal.Keyring {
	t.Helper()
	k, err := seal.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Lost if it fails: secrets that open again, and only where they belong.
func TestSealOpensInItsOwnPlaceOnly(t *testing.T) {
	k := keyring(t, hexKey)
	home := seal.ProviderKey("acme", "openai-1")
	text := k.Seal(home, "sk-secret")
	if !seal.Sealed(text) || strings.Contains(text, "sk-secret") {
		t.Fatalf("not sealed: %s", text)
	}
	if got, err := k.Open(home, text); err != nil || got != "sk-secret" {
		t.Fatalf("open: %q, %v", got, err)
	}
	if again := k.Seal(home, "sk-secret"); again == text {
		t.Error("two seals of one secret are equal: the nonce is not random")
	}
	for _, other := range []seal.Place{
		seal.ProviderKey("acme", "openai-2"), seal.ProviderKey("other", "openai-1"),
		{Tenant: "acme", Table: "providers", Row: "openai-1", Field: "other"},
		{Tenant: "acme", Table: "provider", Row: "sopenai-1", Field: "api_key"},
	} {
		if _, err := k.Open(other, text); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("opened in %+v: %v", other, err)
		}
	}
}

// Lost if it fails: a changed byte anywhere is noticed.
func TestEveryChangedByteIsNoticed(t *testing.T) {
	k := keyring(t, hexKey)
	p := seal.ProviderKey("a", "b")
	sealed := k.SealBytes(p, []byte("secret"))
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.OpenBytes(p, bad); err == nil {
			t.Errorf("byte %d was changed unnoticed", i)
		}
		if _, err := k.OpenBytes(p, sealed[:i]); err == nil {
			t.Errorf("cut to %d bytes unnoticed", i)
		}
	}
}

// Lost if it fails: an operator learns that the key is wrong, not "damaged".
func TestWrongMasterKeyIsNamed(t *testing.T) {
	k, other := keyring(t, hexKey), keyring(t, reversed(hexKey))
	p := seal.ProviderKey("a", "b")
	if _, err := other.Open(p, k.Seal(p, "x")); !errors.Is(err, seal.ErrKey) {
		t.Fatalf("got %v", err)
	}
	if !k.Matches(k.Check()) || other.Matches(k.Check()) || k.Matches("") {
		t.Error("the check value does not tell keys apart")
	}
	if bytes.Equal(k.Derive("a", 32), k.Derive("b", 32)) || !bytes.Equal(k.Derive("a", 32), k.Derive("a", 32)) {
		t.Error("derived keys are not one per purpose")
	}
}

// Lost if it fails: guessable keys protect production, or good ones are refused.
func TestParse(t *testing.T) {
	raw, _ := hex.DecodeString(hexKey)
	for name, text := range map[string]string{
		"hex": hexKey, "upper hex": strings.ToUpper(hexKey), "spaces": " " + hexKey + "\n",
		"base64": base64.StdEncoding.EncodeToString(raw), "url base64": base64.RawURLEncoding.EncodeToString(raw),
	} {
		if _, err := seal.Parse(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "zeros": strings.Repeat("00", 32), "short": hexKey[:62], "long": hexKey + "00", "word": "change-me",
		"counting": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "few": strings.Repeat("0123", 16),
		"text": base64.StdEncoding.EncodeToString([]byte("abcdefghijklmnopqrstuvwxyz_+123!")),
	} {
		_, err := seal.Parse(text)
		if err == nil {
			t.Errorf("%s was accepted", name)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
}

// Lost if it fails: the key in a log line or a panic.
func TestPrintingHidesTheKey(t *testing.T) {
	k := keyring(t, hexKey)
	raw, _ := hex.DecodeString(hexKey)
	for _, s := range []string{k.String(), fmt.Sprintf("%v %+v %#v", k, k, k)} {
		if strings.Contains(s, hexKey[:16]) || strings.Contains(s, fmt.Sprint(raw[:4])[1:]) {
			t.Errorf("the key is shown: %s", s)
		}
	}
}

// Lost if it fails: every sealed secret, because the second start has another key.
func TestLoadOrCreateKeepsOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	var wg sync.WaitGroup
	checks := make([]string, 8)
	for i := range checks {
		wg.Go(func() {
			k, err := seal.LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			checks[i] = k.Check()
		})
	}
	wg.Wait()
	for _, c := range checks {
		if c != checks[0] {
			t.Fatalf("concurrent starts got different keys: %v", checks)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadOrCreate(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a readable key file was accepted: %v", err)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("temporary files stay behind: %v", entries)
	}
}

// FuzzOpen: lost if it fails, a process that panics on a damaged database.
func FuzzOpen(f *testing.F) {
	k, err := seal.Parse(hexKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Seal(seal.ProviderKey("a", "b"), "x"))
	f.Add("enc:v1:")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := k.Open(seal.ProviderKey("other", "place"), text); err == nil {
			t.Fatalf("opened %q", text)
		}
	})
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}
