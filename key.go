package sluice

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"time"
)

// Default limits of a key per minute (feature I3).
const (
	DefaultRPM = 60
	DefaultTPM = 100_000
)

// Key is a client's credential for the gateway. Only its SHA-256 is kept.
type Key struct {
	Meta
	// User names the owner, a user of the same tenant; empty means the caller.
	User string `json:"user,omitempty"`
	// TokenHash is the SHA-256 of the token in lower-case hex.
	TokenHash string `json:"token_hash,omitempty" readOnly:"true"`
	// Prefix is the token's start, for people to recognise it by.
	Prefix string `json:"prefix,omitempty" readOnly:"true"`
	// Group selects the providers; empty means [DefaultGroup].
	Group  string `json:"group,omitempty"`
	Status Status `json:"status,omitempty" enum:"active,disabled"`
	// Weight is the key's share in fair queueing, 1 to 1000; 0 means 1.
	Weight int `json:"weight,omitempty" minimum:"0" maximum:"1000"`
	// Balance is what the key can still spend, for display only.
	Balance Number `json:"balance" readOnly:"true"`
	// RPM and TPM limit requests and tokens per minute; absent means
	// [DefaultRPM] and [DefaultTPM], 0 means unlimited.
	RPM *int64 `json:"rpm,omitempty" minimum:"0" maximum:"1000000000"`
	TPM *int64 `json:"tpm,omitempty" minimum:"0" maximum:"1000000000000"`
	// Concurrency limits the requests in progress at once; absent or 0 means
	// unlimited.
	Concurrency *int64 `json:"concurrency,omitempty" minimum:"0" maximum:"1000000"`
	// Wallet is what the key spends from: the wallet of its tenant (the default),
	// of its user, or its own. Those of users and keys are prepaid.
	Wallet string `json:"wallet,omitempty" enum:"tenant,user,key"`
	// Caps bound what the key spends in a period, whatever its wallet has.
	Caps []SpendingCap `json:"caps,omitempty" maxItems:"4"`
	// Models lists the models the key may call, by name or with a trailing
	// "*"; empty allows every model of its group.
	Models []string `json:"models,omitempty" maxItems:"1000"`
	// ExpiresAt ends the key; zero never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// RetiringHash is the hash before the last rotation, valid until
	// RetiringUntil, so that clients can change over without an outage.
	RetiringHash  string    `json:"retiring_hash,omitempty" readOnly:"true"`
	RetiringUntil time.Time `json:"retiring_until,omitzero" readOnly:"true"`
	// Plugins configures plugins for this consumer; it takes precedence over the
	// group's and the route's configuration of the same plugin.
	Plugins map[string]json.RawMessage `json:"plugins,omitempty"`
	// Token is the plaintext, present once: in the answer to create and rotate.
	Token string `json:"token,omitempty" readOnly:"true"`
	// LastUsedAt is when a gateway last admitted the key, to about a minute.
	LastUsedAt time.Time `json:"last_used_at,omitzero" readOnly:"true"`
}

// Kind returns [KindKey].
func (*Key) Kind() Kind { return KindKey }

// Normalize implements [Object].
func (k *Key) Normalize() {
	k.Group = orDefault(k.Group, DefaultGroup)
	k.Status = orDefault(k.Status, StatusActive)
	k.Weight = orDefault(k.Weight, 1)
	k.Wallet = orDefault(k.Wallet, WalletTenant)
	k.RPM = orDefault(k.RPM, new(int64(DefaultRPM)))
	k.TPM = orDefault(k.TPM, new(int64(DefaultTPM)))
}

// Validate implements [Object].
func (k *Key) Validate() error {
	if err := k.validate(namePattern); err != nil {
		return err
	}
	if k.Weight < 1 || k.Weight > 1000 {
		return Errorf(CodeInvalidRequest, "weight must be 1 to 1000").At("/weight")
	}
	if *k.RPM < 0 || *k.RPM > 1_000_000_000 {
		return Errorf(CodeInvalidRequest, "rpm must be 0 to 1000000000").At("/rpm")
	}
	if *k.TPM < 0 || *k.TPM > 1_000_000_000_000 {
		return Errorf(CodeInvalidRequest, "tpm must be 0 to 1000000000000").At("/tpm")
	}
	if c := k.Concurrency; c != nil && (*c < 0 || *c > 1_000_000) {
		return Errorf(CodeInvalidRequest, "concurrency must be 0 to 1000000").At("/concurrency")
	}
	if err := k.validateSpending(); err != nil {
		return err
	}
	for i, m := range k.Models {
		if !modelNamePattern.MatchString(strings.TrimSuffix(m, "*") + "x") {
			return Errorf(CodeInvalidRequest, "model %q is not a model name", clip(m)).At(fmt.Sprintf("/models/%d", i))
		}
	}
	return validStatus(k.Status)
}

// Refs implements [Object].
func (k *Key) Refs() []Ref {
	return []Ref{
		{Field: "/tenant", Kind: KindTenant, Name: k.Tenant},
		{Field: "/user", Kind: KindUser, Name: k.User},
		{Field: "/group", Kind: KindGroup, Name: k.Group},
	}
}

// AllowsModel reports whether the key may call the model.
func (k *Key) AllowsModel(model string) bool { return matchesAny(k.Models, model) }

// matchesAny reports whether name equals a pattern or begins with one that ends
// in "*"; no patterns match everything.
func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if prefix, open := strings.CutSuffix(p, "*"); p == name || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return len(patterns) == 0
}

// HashToken returns the lower-case hex SHA-256 of a token: the only form in
// which a key is stored, published and looked up.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewToken mints a key's plaintext, slc_<env>_<10 id>_<43 random>_<6 checksum>,
// and the prefix to show for it. 256 random bits need no slow hash; the
// checksum lets secret scanners and clients spot a mistyped key offline.
func NewToken(env string) (token, prefix string) {
	prefix = tokenStart + env + "_" + randomBase62(10)
	body := prefix + "_" + randomBase62(43)
	return fmt.Sprintf("%s_%s", body, encodeBase62(uint64(crc32.ChecksumIEEE([]byte(body))), 6)), prefix
}

// WellFormedToken reports whether a token has the shape and checksum of
// [NewToken]; it says nothing about whether the key exists.
func WellFormedToken(token string) bool {
	cut := strings.LastIndexByte(token, '_')
	if cut < 0 || !strings.HasPrefix(token, tokenStart) {
		return false
	}
	return token[cut+1:] == encodeBase62(uint64(crc32.ChecksumIEEE([]byte(token[:cut]))), 6)
}

// tokenStart begins every token.
const tokenStart = "slc_"

// FindToken returns where the first token of [NewToken] stands in a text from
// outside, whatever surrounds it.
func FindToken(text string) (start, end int, ok bool) {
	for {
		i := strings.Index(text[end:], tokenStart)
		if i < 0 {
			return 0, 0, false
		}
		start = end + i
		end = start + len(tokenStart)
		for end < len(text) && (text[end] == '_' || strings.IndexByte(base62, text[end]) >= 0) {
			end++
		}
		if WellFormedToken(text[start:end]) {
			return start, end, true
		}
	}
}

// MaskTokens replaces what makes the tokens in a text secret; their prefix
// stays, so that people can tell which key it was.
func MaskTokens(text string) string {
	start, end, ok := FindToken(text)
	if !ok {
		return text
	}
	token := text[start:end]
	prefix := token[:len(token)-len("_")-43-len("_")-6]
	return text[:start] + prefix + "_***" + MaskTokens(text[end:])
}

// randomBase62 returns n unbiased random characters.
func randomBase62(n int) string {
	out := make([]byte, n)
	for i := range out {
		v, err := rand.Int(rand.Reader, big.NewInt(62))
		if err != nil {
			panic("sluice: no randomness: " + err.Error())
		}
		out[i] = base62[v.Int64()]
	}
	return string(out)
}

func encodeBase62(v uint64, width int) string {
	out := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		out[i], v = base62[v%62], v/62
	}
	return string(out)
}
