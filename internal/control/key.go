package control

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// maxGrace bounds how long a rotated token stays valid.
const maxGrace = 30 * 24 * time.Hour

// RotateKey gives the key a new token and returns it, once; the old token stays
// valid for grace (0 to 30 days), one of an earlier rotation ends at once.
func (s *Session) RotateKey(ctx context.Context, tenant, ref string, grace time.Duration, opts sluice.WriteOptions) (sluice.Key, error) {
	if grace < 0 || grace > maxGrace {
		return sluice.Key{}, sluice.Errorf(sluice.CodeInvalidRequest, "grace must be 0 to %v", maxGrace).At("/grace_seconds")
	}
	fingerprint, err := s.c.fingerprint(actionRotate, new(sluice.Key), []any{tenant, ref, grace})
	if err != nil {
		return sluice.Key{}, err
	}
	out, err := s.write(ctx, opts, func(tx *store.Tx) (change, error) {
		if done, err := s.replayed(tx, sluice.KindKey, opts, fingerprint); err != nil || done != nil {
			return change{after: done}, err
		}
		ch, err := s.decideRotate(tx, tenant, ref, grace, opts)
		ch.then = func() error { return s.remember(tx, ch, opts, fingerprint) }
		return ch, err
	})
	return result[sluice.Key](out, err)
}

// decideRotate authorises a rotation and mints the new token.
func (s *Session) decideRotate(tx *store.Tx, tenant, ref string, grace time.Duration, opts sluice.WriteOptions) (change, error) {
	before, err := s.find(tx, sluice.KindKey, tenant, ref)
	if err != nil {
		return change{}, err
	}
	ch := change{action: actionRotate, before: before, after: store.Clone(before)}
	if err := s.authoriseWrite(tx, before, ch.after); err != nil {
		return change{}, err
	}
	if err := condition(before, opts); err != nil {
		return change{}, err
	}
	k := ch.after.(*sluice.Key)
	k.RetiringHash, k.RetiringUntil = "", noTime
	if grace > 0 {
		k.RetiringHash, k.RetiringUntil = k.TokenHash, tx.Now().Add(grace)
	}
	ch.token, k.Prefix = sluice.NewToken(s.c.cfg.KeyEnv)
	k.TokenHash = sluice.HashToken(ch.token)
	return ch, nil
}
