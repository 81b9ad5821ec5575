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
	return c.keyed(action, o.Kind(), o, extra)
}

// keyed hashes what a request asks for under the master key.
func (c *Control) keyed(parts ...any) (string, error) {
	b, err := json.Marshal(parts)
	if err != nil {
		return "", fmt.Errorf("fingerprint a request: %w", err)
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
	id, known, err := s.replayOf(tx, kind, opts, fingerprint)
	if err != nil || !known {
		return nil, err
	}
	o, err := tx.ByID(kind, id)
	if err != nil {
		return nil, err
	}
	return o, s.authoriseRead(o)
}

// replayOf returns what the caller's Idempotency-Key wrote before by its number;
// known is false when the key is new, or there is none.
func (s *Session) replayOf(tx *store.Tx, kind sluice.Kind, opts sluice.WriteOptions, fingerprint string) (id uint64, known bool, err error) {
	if opts.IdempotencyKey == "" {
		return 0, false, nil
	}
	if len(opts.IdempotencyKey) > maxIdempotencyKey {
		return 0, false, sluice.Errorf(sluice.CodeInvalidRequest, "the Idempotency-Key is longer than %d bytes", maxIdempotencyKey).At("Idempotency-Key")
	}
	if !printable(opts.IdempotencyKey) {
		return 0, false, sluice.Errorf(sluice.CodeInvalidRequest, "the Idempotency-Key must be printable ASCII").At("Idempotency-Key")
	}
	r, err := tx.ReplayOf(s.actor(), opts.IdempotencyKey)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return 0, false, nil
	}
	if err == nil && (r.RequestHash != fingerprint || r.Kind != kind) {
		err = sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another request").At("Idempotency-Key")
	}
	return r.ObjectID, err == nil, err
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// remember notes that the request with an Idempotency-Key wrote the object.
func (s *Session) remember(tx *store.Tx, ch change, opts sluice.WriteOptions, fingerprint string) error {
	return s.rememberAs(tx, ch.after.Kind(), ch.after.GetMeta().ID, opts, fingerprint)
}

// rememberAs is remember for what is no managed object.
func (s *Session) rememberAs(tx *store.Tx, kind sluice.Kind, id uint64, opts sluice.WriteOptions, fingerprint string) error {
	if opts.IdempotencyKey == "" {
		return nil
	}
	return tx.AddReplay(store.Replay{
		Caller: s.actor(), Key: opts.IdempotencyKey, RequestHash: fingerprint,
		Kind: kind, ObjectID: id, ExpiresAt: tx.Now().Add(replayLife),
	})
}

// actor is how the audit log and idempotency name the caller.
func (s *Session) actor() string {
	if s.caller.System {
		return "system"
	}
	return s.caller.Tenant + "/" + s.caller.User
}
