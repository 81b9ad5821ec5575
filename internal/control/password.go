package control

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// PasswordCost is the cost of argon2id; zero fields mean 19 MiB, 2 passes, 1
// lane (the OWASP floor), and 2 hashes at a time.
type PasswordCost struct {
	MemoryKiB   uint32
	Passes      uint32
	Lanes       uint8
	Concurrency int
}

const (
	saltSize  = 16
	hashSize  = 32
	minLength = 12
	maxLength = 128
	// maxWaiting bounds the sign-ins that wait for a turn at hashing.
	maxWaiting = 64
	// Stored parameters beyond these are damage, not a choice.
	maxMemoryKiB = 1 << 20
	maxPasses    = 64
)

// passwords hashes and verifies passwords, a bounded number at a time: each
// takes as much memory as it costs.
type passwords struct {
	cost    PasswordCost
	waiting chan struct{}
	running chan struct{}
	// decoy is verified when there is no user, so that both take as long.
	decoy string
}

func newPasswords(cost PasswordCost) *passwords {
	cost.MemoryKiB = orDefault(cost.MemoryKiB, 19*1024)
	cost.Passes = orDefault(cost.Passes, 2)
	cost.Lanes = orDefault(cost.Lanes, 1)
	cost.Concurrency = orDefault(cost.Concurrency, 2)
	p := &passwords{cost: cost, waiting: make(chan struct{}, maxWaiting), running: make(chan struct{}, cost.Concurrency)}
	p.decoy = p.render(make([]byte, saltSize), make([]byte, hashSize))
	return p
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// turn waits for a turn at hashing; done gives it back. When too many wait
// already it is [sluice.CodeUnavailable].
func (p *passwords) turn(ctx context.Context) (done func(), err error) {
	select {
	case p.waiting <- struct{}{}:
	default:
		return nil, sluice.Errorf(sluice.CodeUnavailable, "too many sign-ins at once").After(1)
	}
	select {
	case p.running <- struct{}{}:
		return func() { <-p.running; <-p.waiting }, nil
	case <-ctx.Done():
		<-p.waiting
		return nil, ctx.Err()
	}
}

// hash returns the PHC string of a password under a fresh salt.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return p.render(salt, argon2.IDKey([]byte(password), salt, p.cost.Passes, p.cost.MemoryKiB, p.cost.Lanes, hashSize)), nil
}

// render writes the PHC string format
// (https://github.com/P-H-C/phc-string-format).
func (p *passwords) render(salt, hash []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.cost.MemoryKiB, p.cost.Passes, p.cost.Lanes,
		b64.EncodeToString(salt), b64.EncodeToString(hash))
}

// verify reports whether the password is the one of the PHC string; "" matches
// none, in the same time.
func (p *passwords) verify(ctx context.Context, phc, password string) (bool, error) {
	known := phc != ""
	if !known {
		phc = p.decoy
	}
	h, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	done, err := p.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	got := argon2.IDKey([]byte(password), h.salt, h.passes, h.memoryKiB, h.lanes, uint32(len(h.hash)))
	return subtle.ConstantTimeCompare(got, h.hash) == 1 && known, nil
}

type phcHash struct {
	memoryKiB, passes uint32
	lanes             uint8
	salt, hash        []byte
}

// parsePHC reads what [passwords.render] wrote, with any parameters in bounds.
func parsePHC(s string) (phcHash, error) {
	var h phcHash
	damaged := sluice.Errorf(sluice.CodeDatabase, "a stored password hash is damaged")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, damaged
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memoryKiB, &h.passes, &h.lanes); err != nil {
		return h, damaged.Because(err)
	}
	var errSalt, errHash error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.hash, errHash = base64.RawStdEncoding.DecodeString(parts[5])
	inBounds := h.memoryKiB >= 8 && h.memoryKiB <= maxMemoryKiB && h.passes >= 1 && h.passes <= maxPasses && h.lanes >= 1
	if errSalt != nil || errHash != nil || !inBounds || len(h.salt) < 8 || len(h.hash) != hashSize {
		return h, damaged
	}
	return h, nil
}

// input hashes a user's new password ahead of the transaction, which holds the
// only writing connection. A password that is the user's already is kept, so
// that an unchanged document stays unchanged. Lengths and permissions are
// judged later, with everything else.
func (s *Session) input(ctx context.Context, o sluice.Object) (input, error) {
	in := input{object: o}
	u, ok := o.(*sluice.User)
	if !ok || len(u.Password) < minLength || len(u.Password) > maxLength || !s.caller.may(string(sluice.KindUser), verbWrite, true) {
		return in, nil
	}
	same, err := s.isPassword(ctx, u)
	if err != nil || same {
		return in, err
	}
	in.passwordHash, err = s.c.passwords.hash(ctx, u.Password)
	return in, err
}

// isPassword reports whether the stored user of that name, if the caller may
// change it, has that password.
func (s *Session) isPassword(ctx context.Context, u *sluice.User) (bool, error) {
	tenant := orDefault(u.Tenant, s.caller.Tenant)
	if u.Name == "" || !s.caller.Platform && tenant != s.caller.Tenant {
		return false, nil
	}
	phc := ""
	err := s.c.db.Read(ctx, func(tx *store.Tx) error {
		stored, err := tx.ByName(sluice.KindUser, tenant, u.Name)
		if err != nil || s.authoriseTouch(stored) != nil {
			return err
		}
		cred, err := tx.CredentialOf(stored.(*sluice.User).Email)
		phc = cred.PasswordHash
		return err
	})
	if sluice.CodeOf(err) == sluice.CodeNotFound || err == nil && phc == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.c.passwords.verify(ctx, phc, u.Password)
}
