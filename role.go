package sluice

import (
	"fmt"
	"slices"
	"strings"
)

// The built-in roles.
const (
	RolePlatformAdmin = "platform-admin" // everything, in every tenant
	RoleTenantAdmin   = "tenant-admin"   // everything within the own tenant
	RoleDeveloper     = "developer"      // own keys; reads what it may call
	RoleReadOnly      = "read-only"      // reads the own tenant, writes nothing
)

// Permission is "<kind>:<verb>": the kind is a [Kind], "records", "prices",
// "billing", "audit", "system" or "*"; the verb is "read", "write" or "*". The prefix
// "own-" on a verb ("keys:own-write") limits it to objects of the caller's own user;
// "billing:own-write" redeems codes into the own wallet.
type Permission string

// Role is a named set of permissions. A tenant's role applies within the
// tenant; only [RolePlatformAdmin] crosses tenants.
type Role struct {
	Meta
	// Permissions is what the role grants, for instance "keys:write".
	Permissions []Permission `json:"permissions" maxItems:"64"`
	// BuiltIn roles cannot be changed or deleted.
	BuiltIn bool `json:"built_in,omitempty" readOnly:"true"`
}

// builtInRoles is the table that authorisation starts from.
var builtInRoles = []Role{
	{Meta: builtInMeta(RolePlatformAdmin, "Everything, in every tenant."), Permissions: []Permission{"*:*"}, BuiltIn: true},
	{Meta: builtInMeta(RoleTenantAdmin, "Everything within the own tenant."), Permissions: []Permission{"*:*"}, BuiltIn: true},
	{Meta: builtInMeta(RoleDeveloper, "Own keys, records and wallet; reads models and groups."), Permissions: []Permission{
		"keys:own-read", "keys:own-write", "records:own-read", "billing:own-read", "billing:own-write", "users:own-read", "users:own-write", "models:read", "groups:read", "tenants:read"}, BuiltIn: true},
	{Meta: builtInMeta(RoleReadOnly, "Reads the own tenant; writes nothing."), Permissions: []Permission{"*:read"}, BuiltIn: true},
}

func builtInMeta(name, description string) Meta {
	return Meta{Name: name, Tenant: PlatformTenant, Description: description}
}

// BuiltInRole returns the built-in role of that name as a copy, or nil.
func BuiltInRole(name string) *Role {
	for _, r := range builtInRoles {
		if r.Name == name {
			r.Permissions = slices.Clone(r.Permissions)
			return &r
		}
	}
	return nil
}

// BuiltInRoles returns the built-in roles in order, as copies.
func BuiltInRoles() []Role {
	out := make([]Role, 0, len(builtInRoles))
	for _, r := range builtInRoles {
		out = append(out, *BuiltInRole(r.Name))
	}
	return out
}

// Allows reports whether the permission covers the wanted kind and verb; an
// "own-" permission covers the plain verb only when own is true.
func (p Permission) Allows(kind, verb string, own bool) bool {
	k, v, _ := strings.Cut(string(p), ":")
	if k != "*" && k != kind {
		return false
	}
	if rest, limited := strings.CutPrefix(v, "own-"); limited {
		return own && (rest == verb || rest == "*")
	}
	return v == "*" || v == verb
}

// Kind returns [KindRole].
func (*Role) Kind() Kind { return KindRole }

// Normalize implements [Object].
func (r *Role) Normalize() { r.BuiltIn = false }

// Validate implements [Object].
func (r *Role) Validate() error {
	if err := r.validate(namePattern); err != nil {
		return err
	}
	if BuiltInRole(r.Name) != nil {
		return Errorf(CodeInvalidRequest, "%q is a built-in role", r.Name).At("/name")
	}
	if len(r.Permissions) == 0 || len(r.Permissions) > 64 {
		return Errorf(CodeInvalidRequest, "a role has 1 to 64 permissions").At("/permissions")
	}
	for i, p := range r.Permissions {
		if !p.valid() {
			return Errorf(CodeInvalidRequest, "permission %q must be <kind>:<verb>", clip(string(p))).At(fmt.Sprintf("/permissions/%d", i))
		}
	}
	return nil
}

// Refs implements [Object].
func (r *Role) Refs() []Ref { return []Ref{{Field: "/tenant", Kind: KindTenant, Name: r.Tenant}} }

func (p Permission) valid() bool {
	k, v, ok := strings.Cut(string(p), ":")
	kindOK := k == "*" || k == "records" || k == "audit" || k == "system" || k == string(KindPrice) || k == string(KindBilling) || slices.Contains(Kinds(), Kind(k))
	return ok && kindOK && slices.Contains([]string{"read", "write", "*", "own-read", "own-write", "own-*"}, v)
}
