package control

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

func notFound(kind sluice.Kind) error {
	return sluice.Errorf(sluice.CodeNotFound, "no such object in %s", kind)
}

func forbidden(format string, args ...any) error {
	return sluice.Errorf(sluice.CodeForbidden, format, args...)
}

// authoriseRead decides whether the caller may read an object. What it may not
// know of does not exist.
func (s *Session) authoriseRead(o sluice.Object) error {
	if !s.caller.sees(o) {
		return notFound(o.Kind())
	}
	if !s.caller.may(string(o.Kind()), verbRead, s.caller.owns(o)) {
		return forbidden("your roles do not permit reading %s", o.Kind())
	}
	return nil
}

// authoriseWrite decides whether the caller may turn before into after; before
// is nil on create and after on delete.
func (s *Session) authoriseWrite(tx *store.Tx, before, after sluice.Object) error {
	if s.caller.System {
		return nil
	}
	for _, o := range []sluice.Object{before, after} {
		if o == nil {
			continue
		}
		if err := s.authoriseTouch(o); err != nil {
			return blameTerm(err, before, after)
		}
	}
	switch subject := either(before, after).(type) {
	case *sluice.User:
		return s.authoriseUser(tx, asUser(before), asUser(after), subject)
	case *sluice.Role:
		return s.authoriseRole(before, after)
	case *sluice.Route:
		return s.authoriseRoute(before, after)
	case *sluice.Key:
		return s.authoriseKey(before, after)
	case *sluice.Group:
		return s.authoriseGroup(before, after)
	}
	return nil
}

// authoriseTouch decides on one state of an object.
func (s *Session) authoriseTouch(o sluice.Object) error {
	kind, tenant := o.Kind(), o.GetMeta().Tenant
	if !s.caller.Platform && tenant != s.caller.Tenant {
		if o.GetMeta().ID != 0 && s.caller.sees(o) {
			return forbidden("only the platform changes what it shares")
		}
		return notFound(kind)
	}
	if kind == sluice.KindTenant && !s.caller.Platform {
		return forbidden("only a platform admin changes tenants")
	}
	if !s.caller.may(string(kind), verbWrite, s.caller.owns(o)) {
		return forbidden("your roles do not permit changing %s", kind)
	}
	return nil
}

// authoriseUser keeps people from gaining permissions through users: by
// granting roles, or by taking over somebody who has more than they do.
func (s *Session) authoriseUser(tx *store.Tx, before, after, subject *sluice.User) error {
	self := s.caller.owns(subject)
	if !s.caller.may(string(sluice.KindUser), verbWrite, false) {
		if before == nil || after == nil || before.Status != after.Status || !slices.Equal(before.Roles, after.Roles) {
			return forbidden("your roles permit changing your own email, password and description only")
		}
	}
	for _, u := range []*sluice.User{before, after} {
		if u == nil || u == before && self {
			continue
		}
		if err := s.authoriseRoles(tx, u); err != nil {
			return err
		}
	}
	return nil
}

// authoriseRoles checks that the caller has all that the user's roles grant.
func (s *Session) authoriseRoles(tx *store.Tx, u *sluice.User) error {
	if slices.Contains(u.Roles, sluice.RolePlatformAdmin) && !s.caller.Platform {
		return sluice.Errorf(sluice.CodeForbidden, "only a platform admin deals with platform admins").At("/roles")
	}
	if s.caller.Platform {
		return nil
	}
	wanted, err := permissionsOf(tx, u.Tenant, u.Roles)
	if err != nil {
		return err
	}
	if !s.caller.covers(wanted) {
		return sluice.Errorf(sluice.CodeForbidden, "the user's roles permit more than yours").At("/roles")
	}
	return nil
}

// authoriseRole checks that the caller has all that the role grants, before and
// after, and that the role is not built in.
func (s *Session) authoriseRole(before, after sluice.Object) error {
	for _, o := range []sluice.Object{before, after} {
		if o == nil {
			continue
		}
		role := o.(*sluice.Role)
		if role.BuiltIn {
			return forbidden("built-in roles cannot be changed")
		}
		if !s.caller.covers(role.Permissions) {
			return sluice.Errorf(sluice.CodeForbidden, "the role permits more than your own roles").At("/permissions")
		}
	}
	return nil
}

// authoriseKey keeps people who may write their own keys only from lifting what
// others set: a key's plugins take precedence over those of its group and route,
// and its limits beyond the defaults are an admin's to grant.
func (s *Session) authoriseKey(before, after sluice.Object) error {
	if after == nil || s.caller.may(string(sluice.KindKey), verbWrite, false) {
		return nil
	}
	if before == nil {
		before = &sluice.Key{}
	}
	was, is := store.Clone(before).(*sluice.Key), store.Clone(after).(*sluice.Key)
	was.Normalize()
	is.Normalize()
	lifted := func(field string) error {
		return sluice.Errorf(sluice.CodeForbidden, "your roles do not permit more than the default or what the key has; an admin may grant it").At(field)
	}
	switch {
	case !samePlugins(was.Plugins, is.Plugins):
		return sluice.Errorf(sluice.CodeForbidden, "your roles do not permit configuring plugins").At("/plugins")
	case is.Weight > was.Weight:
		return lifted("/weight")
	case looser(*is.RPM, *was.RPM, sluice.DefaultRPM):
		return lifted("/rpm")
	case looser(*is.TPM, *was.TPM, sluice.DefaultTPM):
		return lifted("/tpm")
	case looser(valueOf(is.Concurrency), valueOf(was.Concurrency), 0):
		return lifted("/concurrency")
	}
	return keepsTerms(was, is)
}

// looser reports whether a limit, 0 for none, allows more than it did and more
// than the default.
func looser(is, was, byDefault int64) bool {
	return was != 0 && (is == 0 || is > max(was, byDefault))
}

// valueOf is a limit that may be absent, which is none.
func valueOf(limit *int64) int64 {
	if limit == nil {
		return 0
	}
	return *limit
}

// samePlugins compares configurations as JSON, whatever their spacing.
func samePlugins(a, b map[string]json.RawMessage) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return len(a)+len(b) == 0 || errX == nil && errY == nil && bytes.Equal(x, y)
}

// authoriseGroup keeps tenants from setting what they pay: the multiplier of
// their own groups is a platform admin's to choose.
func (s *Session) authoriseGroup(before, after sluice.Object) error {
	if s.caller.Platform || after == nil {
		return nil
	}
	was := sluice.NoMultiplier
	if before != nil {
		was = multiplier(before.(*sluice.Group))
	}
	if multiplier(after.(*sluice.Group)) != was {
		return sluice.Errorf(sluice.CodeForbidden, "only a platform admin changes what a group's requests cost").At("/price_multiplier")
	}
	return nil
}

// multiplier is the one that applies.
func multiplier(g *sluice.Group) sluice.Multiplier {
	return cmp.Or(g.PriceMultiplier, sluice.NoMultiplier)
}

// authoriseRoute keeps tenants apart on the listener they share: a tenant's own
// admins claim paths below /t/<tenant>/ only, so that no route of theirs can
// take requests, and with them credentials, that are meant for others. Anything
// else is assigned by a platform admin and then kept.
func (s *Session) authoriseRoute(before, after sluice.Object) error {
	if s.caller.Platform || after == nil || s.caller.Tenant == sluice.PlatformTenant {
		return nil
	}
	route := after.(*sluice.Route)
	if before != nil && sameAddress(before.(*sluice.Route), route) {
		return nil
	}
	prefix := "/t/" + route.Tenant + "/"
	for _, p := range route.Paths {
		if len(p) < len(prefix) || p[:len(prefix)] != prefix {
			return sluice.Errorf(sluice.CodeForbidden, "a tenant's routes begin with %s; a platform admin may assign others", prefix).At("/paths")
		}
	}
	return nil
}

// sameAddress reports whether two states of a route take the same requests.
func sameAddress(a, b *sluice.Route) bool {
	return slices.Equal(a.Hosts, b.Hosts) && slices.Equal(a.Paths, b.Paths) && slices.Equal(a.Methods, b.Methods) && a.Priority == b.Priority
}

func either(a, b sluice.Object) sluice.Object {
	if a != nil {
		return a
	}
	return b
}

func asUser(o sluice.Object) *sluice.User {
	u, _ := o.(*sluice.User)
	return u
}
