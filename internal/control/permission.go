package control

import (
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// The verbs of permissions.
const (
	verbRead  = "read"
	verbWrite = "write"
)

// may reports whether the caller's roles allow the verb on a kind (or
// "records", "audit", "system") of the own tenant; own tells that the object is
// the caller's own.
func (c Caller) may(kind, verb string, own bool) bool {
	return slices.ContainsFunc(c.Permissions, func(p sluice.Permission) bool { return p.Allows(kind, verb, own) })
}

// owns reports whether the object is the caller's own user or one of its keys.
func (c Caller) owns(o sluice.Object) bool {
	if c.User == "" || o.GetMeta().Tenant != c.Tenant {
		return false
	}
	switch o := o.(type) {
	case *sluice.Key:
		return o.User == c.User
	case *sluice.User:
		return o.Name == c.User
	}
	return false
}

// sees reports whether the caller may know that the object exists.
func (c Caller) sees(o sluice.Object) bool {
	tenant := o.GetMeta().Tenant
	return c.Platform || tenant == c.Tenant || tenant == sluice.PlatformTenant && sharesWith(o, c.Tenant)
}

// sharedWith lists the tenants that may use an object of another tenant, "*"
// for all. Only the platform shares: its models with everybody, its groups with
// whom they name, and the built-in roles.
func sharedWith(o sluice.Object) []string {
	if o.GetMeta().Tenant != sluice.PlatformTenant {
		return nil
	}
	switch o := o.(type) {
	case *sluice.Group:
		return o.SharedWith
	case *sluice.Model:
		return []string{"*"}
	case *sluice.Role:
		if o.BuiltIn {
			return []string{"*"}
		}
	}
	return nil
}

func sharesWith(o sluice.Object, tenant string) bool {
	shared := sharedWith(o)
	return slices.Contains(shared, "*") || slices.Contains(shared, tenant)
}

// permissionKinds are what permissions speak of.
func permissionKinds() []string {
	kinds := []string{"records", "audit", "system", string(sluice.KindPrice), string(sluice.KindBilling)}
	for _, k := range sluice.Kinds() {
		kinds = append(kinds, string(k))
	}
	return kinds
}

// covers reports whether the caller already has everything that the wanted
// permissions give. Nobody can grant what they do not have.
func (c Caller) covers(wanted []sluice.Permission) bool {
	for _, kind := range permissionKinds() {
		for _, verb := range []string{verbRead, verbWrite} {
			for _, own := range []bool{false, true} {
				gives := slices.ContainsFunc(wanted, func(p sluice.Permission) bool { return p.Allows(kind, verb, own) })
				if gives && !c.may(kind, verb, own) {
					return false
				}
			}
		}
	}
	return true
}

// permissionsOf returns what the roles of a user of the tenant grant together.
// A role that no longer exists grants nothing.
func permissionsOf(tx *store.Tx, tenant string, roles []string) ([]sluice.Permission, error) {
	var out []sluice.Permission
	for _, name := range roles {
		if role := sluice.BuiltInRole(name); role != nil {
			out = append(out, role.Permissions...)
			continue
		}
		o, err := tx.ByName(sluice.KindRole, tenant, name)
		if sluice.CodeOf(err) == sluice.CodeNotFound && err != nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, o.(*sluice.Role).Permissions...)
	}
	return out, nil
}
