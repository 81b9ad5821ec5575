package control

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	freeFailures  = 5                // failures without a pause
	maxLock       = 15 * time.Minute // the longest pause
	forgetFailure = 24 * time.Hour   // after so long without an attempt
)

// lockFor is the pause after so many failures in a row: none up to five, then
// 1 s, 2 s, 4 s … up to 15 minutes.
func lockFor(failures int64) time.Duration {
	over := failures - freeFailures
	if over < 0 {
		return 0
	}
	if over > 10 {
		return maxLock
	}
	return min(time.Second<<over, maxLock)
}

// subject names who is counted: an account as seen from one address, so that a
// stranger cannot lock its owner out. IPv6 addresses count by /64. It is a
// keyed hash, because people type passwords into the wrong field.
func (c *Control) subject(email, ip string) string {
	if a, err := netip.ParseAddr(ip); err == nil && a.Is6() && !a.Is4In6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			ip = p.String()
		}
	}
	mac := hmac.New(sha256.New, c.cfg.Keyring.Derive("sign-in attempts", 32))
	mac.Write([]byte(email + "\x00" + ip))
	return hex.EncodeToString(mac.Sum(nil))
}

// countAttempt counts an attempt as failed before it is judged, so that any
// number of them at once get no more guesses than one after the other. While
// the subject is locked it is [sluice.CodeLockedOut].
func (c *Control) countAttempt(ctx context.Context, subject string) error {
	return c.db.Write(ctx, func(tx *store.Tx) error {
		a, err := tx.AttemptsOf(subject)
		if err != nil {
			return err
		}
		now := tx.Now()
		if wait := a.LockedUntil.Sub(now); wait > 0 {
			seconds := int((wait + time.Second - 1) / time.Second)
			return sluice.Errorf(sluice.CodeLockedOut, "too many failed sign-ins; try again in %d s", seconds).After(seconds)
		}
		if now.Sub(a.LastAt) > forgetFailure {
			a.Failures = 0
		}
		a.Failures++
		a.LastAt, a.LockedUntil = now, now.Add(lockFor(a.Failures))
		return tx.SetAttempts(subject, a, now.Add(-forgetFailure))
	})
}
