package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Prefix begins every sealed text; what lacks it was never sealed.
const Prefix = "enc:v1:"

const (
	masterSize = 32
	keyIDSize  = 4
	nonceSize  = 12
	tagSize    = 16
)

var (
	// ErrKey tells that a value was sealed under another master key.
	ErrKey = errors.New("seal: sealed under another master key")
	// ErrDamaged tells that a sealed value was changed, cut, or moved to
	// another place.
	ErrDamaged = errors.New("seal: the sealed value is damaged or belongs elsewhere")
)

// Keyring seals and opens secrets under one master key. It is immutable and
// safe for concurrent use; printing it shows nothing of the key.
type Keyring struct {
	master [masterSize]byte
	id     [keyIDSize]byte
}

// New returns a keyring of a 32-byte master key. Keys that were evidently not
// drawn at random are refused.
func New(master []byte) (*Keyring, error) {
	if len(master) != masterSize {
		return nil, fmt.Errorf("seal: the master key has %d bytes, it needs %d", len(master), masterSize)
	}
	if why := weakness(master); why != "" {
		return nil, fmt.Errorf("seal: the master key is not random: %s", why)
	}
	k := &Keyring{master: [masterSize]byte(master)}
	copy(k.id[:], k.Derive("key id", keyIDSize))
	return k, nil
}

// Place is where a secret is kept. All of it is authenticated: a sealed value
// opens in its own place only.
type Place struct {
	Tenant string // the owner; its data key seals
	Table  string // for instance "providers"
	Row    string // the object's name
	Field  string // the JSON name of the field
}

// ProviderKey is the place of a provider's api_key; control seals it there and
// a gateway opens it from there.
func ProviderKey(tenant, name string) Place {
	return Place{Tenant: tenant, Table: "providers", Row: name, Field: "api_key"}
}

// aad joins the parts with their lengths, so that no two places coincide.
func (p Place) aad() []byte {
	var b []byte
	for _, part := range [...]string{p.Tenant, p.Table, p.Row, p.Field} {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(b, '|')
		b = append(b, part...)
	}
	return b
}

// Seal encrypts a secret for its place as text that begins with [Prefix]. Equal
// secrets give different texts.
func (k *Keyring) Seal(p Place, secret string) string {
	return Prefix + base64.RawURLEncoding.EncodeToString(k.SealBytes(p, []byte(secret)))
}

// Open decrypts what [Keyring.Seal] gave: [ErrKey] under another master key,
// [ErrDamaged] otherwise.
func (k *Keyring) Open(p Place, text string) (string, error) {
	body, ok := strings.CutPrefix(text, Prefix)
	if !ok {
		return "", ErrDamaged
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return "", ErrDamaged
	}
	secret, err := k.OpenBytes(p, raw)
	return string(secret), err
}

// Sealed reports whether the text looks like one of [Keyring.Seal].
func Sealed(text string) bool { return strings.HasPrefix(text, Prefix) }

// SealBytes encrypts data for its place as key id, nonce and ciphertext: the
// binary form of [Keyring.Seal], for whole files.
func (k *Keyring) SealBytes(p Place, data []byte) []byte {
	out := make([]byte, keyIDSize+nonceSize, keyIDSize+nonceSize+len(data)+tagSize)
	copy(out, k.id[:])
	nonce := out[keyIDSize:]
	rand.Read(nonce) // never fails; see crypto/rand
	return k.cipher(p.Tenant).Seal(out, nonce, data, p.aad())
}

// OpenBytes decrypts what [Keyring.SealBytes] gave; errors as for
// [Keyring.Open].
func (k *Keyring) OpenBytes(p Place, sealed []byte) ([]byte, error) {
	if len(sealed) < keyIDSize+nonceSize+tagSize {
		return nil, ErrDamaged
	}
	if subtle.ConstantTimeCompare(sealed[:keyIDSize], k.id[:]) != 1 {
		return nil, ErrKey
	}
	nonce, body := sealed[keyIDSize:keyIDSize+nonceSize], sealed[keyIDSize+nonceSize:]
	data, err := k.cipher(p.Tenant).Open(nil, nonce, body, p.aad())
	if err != nil {
		return nil, ErrDamaged
	}
	return data, nil
}

// Derive returns n bytes for a purpose of their own, for instance the seed of a
// signing key: stable for a master key, and telling nothing of it.
func (k *Keyring) Derive(purpose string, n int) []byte {
	out, err := hkdf.Key(sha256.New, k.master[:], nil, "sluice/v1/"+purpose, n)
	if err != nil {
		panic(fmt.Sprintf("seal: derive %d bytes: %v", n, err)) // n is a constant of the caller within HKDF's 8160
	}
	return out
}

// Check returns the value to keep beside sealed data, by which
// [Keyring.Matches] later tells whether this is still the key.
func (k *Keyring) Check() string { return hex.EncodeToString(k.Derive("check", 16)) }

// Matches reports whether a stored check value is this keyring's.
func (k *Keyring) Matches(check string) bool {
	return subtle.ConstantTimeCompare([]byte(check), []byte(k.Check())) == 1
}

// String hides the key from %v and logs.
func (k *Keyring) String() string { return "keyring " + hex.EncodeToString(k.id[:]) }

// GoString hides the key from %#v.
func (k *Keyring) GoString() string { return k.String() }

// cipher returns AES-256-GCM under the tenant's data key.
func (k *Keyring) cipher(tenant string) cipher.AEAD {
	block, err := aes.NewCipher(k.Derive("tenant/"+tenant, masterSize))
	if err != nil {
		panic(fmt.Sprintf("seal: %v", err)) // a key of 32 bytes is always accepted
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(fmt.Sprintf("seal: %v", err)) // AES always has 16-byte blocks
	}
	return gcm
}
