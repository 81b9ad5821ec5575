package control

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	replayLife        = 24 * time.Hour
	maxIdempotencyKey = 255
)

// fingerprint tells a repeated request from another one under the same
// Idempotency-Key. It is keyed, because requests hold passwords, which a plain
// hash would give away to guessing.
func (c *Control) fingerprint(action string, o sluice.Object, extra any) (string, error) {
	b, err := json.Marshal([]any{action, o.Kind(), o, extra})
	if err != nil {
		return "", fmt.Errorf("fingerprint %s of %s: %w", action, o.Kind(), err)
	}
	mac := hmac.New(sha256.New, c.cfg.Keyring.Derive("idempotency", 32))
	mac.Write(b)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// replayed returns the object that the caller's Idempotency-Key wrote before,
// as it is now and never with a token; nil when the key is new. A different
// request is [sluice.CodeIdempotency], an object deleted since
// [sluice.CodeNotFound].
func (s *Session) replayed(tx *store.Tx, kind sluice.Kind, opts sluice.WriteOptions, fingerprint string) (sluice.Object, error) {
	if opts.IdempotencyKey == "" {
		return nil, nil
	}
	if len(opts.IdempotencyKey) > maxIdempotencyKey {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the Idempotency-Key is longer than %d bytes", maxIdempotencyKey).At("Idempotency-Key")
	}
	if !printable(opts.IdempotencyKey) {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the Idempotency-Key must be printable ASCII").At("Idempotency-Key")
	}
	r, err := tx.ReplayOf(s.actor(), opts.IdempotencyKey)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.RequestHash != fingerprint || r.Kind != kind {
		return nil, sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another request").At("Idempotency-Key")
	}
	o, err := tx.ByID(kind, r.ObjectID)
	if err != nil {
		return nil, err
	}
	return o, s.authoriseRead(o)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// remember notes that the request with an Idempotency-Key wrote the object.
func (s *Session) remember(tx *store.Tx, ch change, opts sluice.WriteOptions, fingerprint string) error {
	if opts.IdempotencyKey == "" {
		return nil
	}
	return tx.AddReplay(store.Replay{
		Caller: s.actor(), Key: opts.IdempotencyKey, RequestHash: fingerprint,
		Kind: ch.after.Kind(), ObjectID: ch.after.GetMeta().ID, ExpiresAt: tx.Now().Add(replayLife),
	})
}

// actor is how the audit log and idempotency name the caller.
func (s *Session) actor() string {
	if s.caller.System {
		return "system"
	}
	return s.caller.Tenant + "/" + s.caller.User
}
