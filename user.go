package sluice

import (
	"fmt"
	"net/mail"
	"time"
)

// User is a person or a machine account that signs in to the control plane and
// owns keys.
type User struct {
	Meta
	// Email is the sign-in name, unique in the installation, lower case.
	Email string `json:"email" format:"email" maxLength:"254"`
	// Roles names what the user may do; empty means [RoleDeveloper].
	Roles  []string `json:"roles,omitempty" maxItems:"16"`
	Status Status   `json:"status,omitempty" enum:"active,disabled"`
	// Password is write-only: 12 to 128 characters, stored as argon2id.
	Password string `json:"password,omitempty" writeOnly:"true" maxLength:"128"`
	// LastLoginAt is the time of the last successful sign-in.
	LastLoginAt time.Time `json:"last_login_at,omitzero" readOnly:"true"`
}

// Kind returns [KindUser].
func (*User) Kind() Kind { return KindUser }

// Normalize implements [Object].
func (u *User) Normalize() {
	u.Status = orDefault(u.Status, StatusActive)
	if len(u.Roles) == 0 {
		u.Roles = []string{RoleDeveloper}
	}
}

// Validate implements [Object].
func (u *User) Validate() error {
	if err := u.validate(namePattern); err != nil {
		return err
	}
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > 254 {
		return Errorf(CodeInvalidRequest, "email %q is not an address", clip(u.Email)).At("/email")
	}
	if n := len(u.Password); n != 0 && (n < 12 || n > 128) {
		return Errorf(CodeInvalidRequest, "password must have 12 to 128 bytes").At("/password")
	}
	if len(u.Roles) > 16 {
		return Errorf(CodeInvalidRequest, "a user has at most 16 roles").At("/roles")
	}
	return validStatus(u.Status)
}

// Refs implements [Object]: the roles, unless built in.
func (u *User) Refs() []Ref {
	refs := []Ref{{Field: "/tenant", Kind: KindTenant, Name: u.Tenant}}
	for i, r := range u.Roles {
		if BuiltInRole(r) == nil {
			refs = append(refs, Ref{Field: fmt.Sprintf("/roles/%d", i), Kind: KindRole, Name: r})
		}
	}
	return refs
}
