package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// maxReferrers bounds the referrers that a refused delete names.
const maxReferrers = 20

// The actions of the audit log that write objects.
const (
	actionCreate = "create"
	actionUpdate = "update"
	actionDelete = "delete"
	actionRotate = "rotate"
)

// change is one write to one object, decided but not yet made.
type change struct {
	// action is what the audit log will say; "" changes nothing.
	action string
	// before is nil on create, after on delete.
	before, after sluice.Object
	// token is the plaintext of a key that was minted, for the answer only.
	token string
	// then runs in the transaction once the object is written; nil for nothing.
	then func() error
}

// input is what a client wants an object to be.
type input struct {
	object sluice.Object
	// passwordHash is the PHC string of a user's new password, "" to keep it.
	passwordHash string
	// clearSecret removes a provider's api_key instead of keeping it.
	clearSecret bool
}

// errDryRun rolls a trial back.
var errDryRun = errors.New("control: dry run")

// write is the gate: every change of a managed object runs through it. decide
// authorises and validates within the transaction; then the object, its
// references, the audit entry and the revision are written together; then the
// change is published.
func (s *Session) write(ctx context.Context, opts sluice.WriteOptions, decide func(*store.Tx) (change, error)) (sluice.Object, error) {
	var out sluice.Object
	var revision uint64
	err := s.c.db.Write(ctx, func(tx *store.Tx) error {
		revision = 0
		ch, err := decide(tx)
		if err != nil {
			return err
		}
		if ch.action != "" {
			if revision, err = s.apply(tx, ch); err != nil {
				return err
			}
		}
		if out = s.answer(ch); opts.DryRun {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	if revision > 0 {
		s.c.publisher.atLeast(ctx, revision)
	}
	return out, nil
}

// apply writes a change and all that belongs to it.
func (s *Session) apply(tx *store.Tx, ch change) (revision uint64, err error) {
	diff, err := difference(ch.before, ch.after) // before the store takes the password out
	if err != nil {
		return 0, fmt.Errorf("describe %s of %s: %w", ch.action, either(ch.before, ch.after).Kind(), err)
	}
	links := store.Links{}
	if ch.after != nil {
		if links, err = resolve(tx, ch.after); err != nil {
			return 0, err
		}
	}
	switch {
	case ch.before == nil:
		err = tx.Insert(ch.after)
	case ch.after == nil:
		err = tx.Delete(ch.before)
	default:
		err = tx.Update(ch.after)
	}
	if err != nil {
		return 0, err
	}
	if ch.after != nil {
		if err := tx.Link(ch.after, links); err != nil {
			return 0, err
		}
	}
	if ch.before == nil {
		if err := takePrecedence(tx, ch.after); err != nil {
			return 0, err
		}
	}
	if err := s.audit(tx, ch, diff); err != nil {
		return 0, err
	}
	if ch.then != nil {
		if err := ch.then(); err != nil {
			return 0, err
		}
	}
	return tx.Changed(either(ch.after, ch.before))
}

// takePrecedence points a tenant's references at its new object where they
// named a shared one of the platform before.
func takePrecedence(tx *store.Tx, o sluice.Object) error {
	m := o.GetMeta()
	if m.Tenant == sluice.PlatformTenant || o.Kind() == sluice.KindTenant {
		return nil
	}
	shadowed, err := tx.ByName(o.Kind(), sluice.PlatformTenant, m.Name)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.Relink(m.Tenant, shadowed, o)
}

// answer is what the caller gets to see of a change.
func (s *Session) answer(ch change) sluice.Object {
	if ch.after == nil {
		return nil
	}
	out := s.conceal(ch.after)
	if k, ok := out.(*sluice.Key); ok {
		k.Token = ch.token
	}
	return out
}

func (s *Session) create(ctx context.Context, o sluice.Object, opts sluice.WriteOptions) (sluice.Object, error) {
	in, err := s.input(ctx, o)
	if err != nil {
		return nil, err
	}
	fingerprint, err := s.c.fingerprint(actionCreate, o, nil)
	if err != nil {
		return nil, err
	}
	return s.write(ctx, opts, func(tx *store.Tx) (change, error) {
		if done, err := s.replayed(tx, o.Kind(), opts, fingerprint); err != nil || done != nil {
			return change{after: done}, err
		}
		ch, err := s.decideCreate(tx, in)
		ch.then = func() error { return s.remember(tx, ch, opts, fingerprint) }
		return ch, err
	})
}

// decideCreate authorises and validates a new object.
func (s *Session) decideCreate(tx *store.Tx, in input) (change, error) {
	ch := change{action: actionCreate, after: store.Clone(in.object)}
	s.fill(nil, ch.after)
	if err := s.authoriseWrite(tx, nil, ch.after); err != nil {
		return change{}, err
	}
	if err := s.c.check(nil, ch.after, in); err != nil {
		return change{}, err
	}
	m := ch.after.GetMeta()
	_, err := tx.ByName(ch.after.Kind(), m.Tenant, m.Name)
	if err == nil {
		return change{}, sluice.Errorf(sluice.CodeConflict, "%q exists already in %s", m.Name, ch.after.Kind()).At("/name")
	}
	if sluice.CodeOf(err) != sluice.CodeNotFound {
		return change{}, err
	}
	if k, ok := ch.after.(*sluice.Key); ok {
		ch.token, k.Prefix = sluice.NewToken(s.c.cfg.KeyEnv)
		k.TokenHash = sluice.HashToken(ch.token)
	}
	return ch, nil
}

func (s *Session) put(ctx context.Context, tenant, name string, o sluice.Object, opts sluice.WriteOptions) (out sluice.Object, created bool, err error) {
	o = store.Clone(o)
	m := o.GetMeta()
	if m.Name != "" && m.Name != name {
		return nil, false, sluice.Errorf(sluice.CodeInvalidRequest, "name is %q in the path and another one in the body", name).At("/name")
	}
	if m.Tenant != "" && tenant != "" && m.Tenant != tenant && o.Kind() != sluice.KindTenant {
		return nil, false, sluice.Errorf(sluice.CodeInvalidRequest, "tenant differs between the path and the body").At("/tenant")
	}
	m.Name = name
	if tenant != "" {
		m.Tenant = tenant
	}
	s.home(o)
	in, err := s.input(ctx, o)
	if err != nil {
		return nil, false, err
	}
	out, err = s.write(ctx, opts, func(tx *store.Tx) (change, error) {
		before, err := tx.ByName(o.Kind(), m.Tenant, name)
		if sluice.CodeOf(err) == sluice.CodeNotFound {
			if created = true; opts.IfMatch != 0 || opts.IfExists {
				return change{}, s.missing(o)
			}
			return s.decideCreate(tx, in)
		}
		if err != nil {
			return change{}, err
		}
		created = false
		return s.decideUpdate(tx, before, in, opts)
	})
	return out, created, err
}

// missing answers a conditional write to an object that is not there, without
// telling a stranger so.
func (s *Session) missing(o sluice.Object) error {
	if !s.caller.Platform && o.GetMeta().Tenant != s.caller.Tenant {
		return notFound(o.Kind())
	}
	return sluice.Errorf(sluice.CodePrecondition, "the write was to replace an object that does not exist")
}

func (s *Session) patch(ctx context.Context, kind sluice.Kind, tenant, ref string, patch json.RawMessage, opts sluice.WriteOptions) (sluice.Object, error) {
	current, err := s.readForPatch(ctx, kind, tenant, ref)
	if err != nil {
		return nil, err
	}
	// The password is hashed outside the transaction, which holds the only
	// writing connection; the patch is then applied to what is read inside.
	draft, clears, err := patched(current, patch)
	if err != nil {
		return nil, err
	}
	secrets, err := s.input(ctx, draft)
	if err != nil {
		return nil, err
	}
	return s.write(ctx, opts, func(tx *store.Tx) (change, error) {
		before, err := s.find(tx, kind, tenant, ref)
		if err != nil {
			return change{}, err
		}
		after, _, err := patched(withoutSecrets(before), patch)
		if err != nil {
			return change{}, err
		}
		in := input{object: after, passwordHash: secrets.passwordHash, clearSecret: clears}
		return s.decideUpdate(tx, before, in, opts)
	})
}

// readForPatch reads what a patch will change, when the caller may change it.
func (s *Session) readForPatch(ctx context.Context, kind sluice.Kind, tenant, ref string) (sluice.Object, error) {
	var current sluice.Object
	err := s.c.db.Read(ctx, func(tx *store.Tx) error {
		o, err := s.find(tx, kind, tenant, ref)
		if err != nil {
			return err
		}
		current = withoutSecrets(o)
		if kind == sluice.KindTenant {
			return nil // refused below, where the field to blame is known
		}
		return s.authoriseTouch(o)
	})
	return current, err
}

// decideUpdate authorises and validates the replacement of an object. Equal
// documents change nothing.
func (s *Session) decideUpdate(tx *store.Tx, before sluice.Object, in input, opts sluice.WriteOptions) (change, error) {
	after := store.Clone(in.object)
	if err := s.fixed(before, after); err != nil {
		return change{}, err
	}
	s.carry(before, after, in)
	s.fill(before, after)
	if err := s.authoriseWrite(tx, before, after); err != nil {
		return change{}, err
	}
	if err := condition(before, opts); err != nil {
		return change{}, err
	}
	if err := s.c.check(before, after, in); err != nil {
		return change{}, err
	}
	if err := guardUpdate(tx, before, after); err != nil {
		return change{}, err
	}
	same, err := store.Equal(before, after)
	if err != nil || same && in.passwordHash == "" {
		return change{after: before}, err
	}
	return change{action: actionUpdate, before: before, after: after}, endSignIns(tx, after, in)
}

// endSignIns signs a user out everywhere when the password changed or the user
// was disabled.
func endSignIns(tx *store.Tx, after sluice.Object, in input) error {
	u, ok := after.(*sluice.User)
	if !ok || in.passwordHash == "" && u.Status == sluice.StatusActive {
		return nil
	}
	return tx.EndSignIns(u.ID)
}

// condition checks the write's preconditions against what exists.
func condition(before sluice.Object, opts sluice.WriteOptions) error {
	version := before.GetMeta().Version
	if opts.IfNoneMatch {
		return sluice.Errorf(sluice.CodePrecondition, "it exists already, in version %d", version)
	}
	if opts.IfMatch != 0 && opts.IfMatch != version && !slices.Contains(opts.AlsoMatch, version) {
		return sluice.Errorf(sluice.CodePrecondition, "version %d was asked for, it is now version %d", opts.IfMatch, version)
	}
	return nil
}

func (s *Session) remove(ctx context.Context, kind sluice.Kind, tenant, ref string, opts sluice.WriteOptions) error {
	_, err := s.write(ctx, opts, func(tx *store.Tx) (change, error) {
		before, err := s.find(tx, kind, tenant, ref)
		if err != nil {
			return change{}, err
		}
		if err := s.authoriseWrite(tx, before, nil); err != nil {
			return change{}, err
		}
		if err := condition(before, opts); err != nil {
			return change{}, err
		}
		return change{action: actionDelete, before: before}, guardDelete(tx, before)
	})
	return err
}

// home sets the tenant of an object that names none.
func (s *Session) home(o sluice.Object) {
	m := o.GetMeta()
	if o.Kind() == sluice.KindTenant {
		m.Tenant = m.Name
	} else if m.Tenant == "" {
		m.Tenant = s.caller.Tenant
	}
}

// fill sets what an object leaves to Sluice: a name, the tenant, a key's owner.
func (s *Session) fill(before, after sluice.Object) {
	m := after.GetMeta()
	if m.Name == "" {
		m.Name = strings.TrimSuffix(string(after.Kind()), "s") + "-" + strings.ToLower(rand.Text()[:10])
	}
	s.home(after)
	if before == nil {
		m.ID, m.Version = 0, 0
	}
	switch o := after.(type) {
	case *sluice.Key:
		if o.Token = ""; o.User == "" {
			o.User = s.caller.User
		}
		if before == nil {
			o.TokenHash, o.Prefix, o.RetiringHash, o.Balance = "", "", "", 0
			o.RetiringUntil, o.LastUsedAt = noTime, noTime
		}
	case *sluice.Role:
		o.BuiltIn = false
	case *sluice.User:
		o.Email = strings.ToLower(strings.TrimSpace(o.Email))
		if before == nil {
			o.LastLoginAt = noTime
		}
	}
}

// fixed checks that an update leaves name and tenant alone.
func (s *Session) fixed(before, after sluice.Object) error {
	b, a := before.GetMeta(), after.GetMeta()
	if a.Name != b.Name {
		return sluice.Errorf(sluice.CodeInvalidRequest, "name is fixed for life").At("/name")
	}
	if a.Tenant != "" && a.Tenant != b.Tenant {
		return sluice.Errorf(sluice.CodeInvalidRequest, "tenant is fixed for life").At("/tenant")
	}
	return nil
}

// carry takes over from the stored object what a client cannot write, and
// secrets that it left out.
func (s *Session) carry(before, after sluice.Object, in input) {
	m, description := after.GetMeta(), after.GetMeta().Description
	*m = *before.GetMeta()
	m.Description = description
	switch a := after.(type) {
	case *sluice.Key:
		b := before.(*sluice.Key)
		a.TokenHash, a.Prefix, a.Balance, a.LastUsedAt = b.TokenHash, b.Prefix, b.Balance, b.LastUsedAt
		a.RetiringHash, a.RetiringUntil = b.RetiringHash, b.RetiringUntil
		if a.User == "" {
			a.User = b.User
		}
	case *sluice.User:
		a.LastLoginAt = before.(*sluice.User).LastLoginAt
	case *sluice.Provider:
		if a.APIKey == "" && !in.clearSecret {
			a.APIKey = before.(*sluice.Provider).APIKey
		}
	}
}
