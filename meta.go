package sluice

import (
	"regexp"
	"time"
	"unicode/utf8"
)

// PlatformTenant is the built-in tenant that owns what the operator shares:
// providers, groups, models and routes of the whole installation.
const PlatformTenant = "platform"

// DefaultGroup is the group of keys and providers that name none (feature E6).
const DefaultGroup = "default"

// Kind names a sort of managed object; it is the plural in the API's paths.
type Kind string

// The kinds of managed objects.
const (
	KindTenant   Kind = "tenants"
	KindUser     Kind = "users"
	KindRole     Kind = "roles"
	KindKey      Kind = "keys"
	KindGroup    Kind = "groups"
	KindProvider Kind = "providers"
	KindModel    Kind = "models"
	KindRoute    Kind = "routes"
	KindUpstream Kind = "upstreams"
)

// KindPrice names prices in audit entries, permissions and conditions. They are
// not managed objects: a price is never changed or deleted.
const KindPrice Kind = "prices"

// Kinds returns every kind in an order in which objects can be created:
// nothing refers to a later one.
func Kinds() []Kind {
	return []Kind{KindTenant, KindRole, KindUser, KindGroup, KindProvider, KindModel, KindUpstream, KindRoute, KindKey}
}

// Status says whether an object takes part in traffic.
type Status string

// The statuses of managed objects.
const (
	StatusActive   Status = "active"
	StatusDisabled Status = "disabled"
)

// Meta is what every managed object carries. ID, Version and the times are
// assigned by control; a client's values for them are ignored on write.
type Meta struct {
	// ID is the published number, unique within the kind, never reused.
	ID uint64 `json:"id,omitempty" readOnly:"true"`
	// Name is the client-chosen identity, unique within kind and tenant, fixed
	// for life. Control generates one when it is empty on create.
	Name string `json:"name,omitempty"`
	// Tenant names the owner; empty on write means the caller's own.
	Tenant string `json:"tenant,omitempty"`
	// Description is free text of at most 500 characters.
	Description string `json:"description,omitempty" maxLength:"500"`
	// Version counts the writes of this object; it is the ETag.
	Version   uint64    `json:"version,omitempty" readOnly:"true"`
	CreatedAt time.Time `json:"created_at,omitzero" readOnly:"true"`
	UpdatedAt time.Time `json:"updated_at,omitzero" readOnly:"true"`
}

// GetMeta returns the object's own Meta for reading and writing.
func (m *Meta) GetMeta() *Meta { return m }

// Object is any managed object, by pointer.
type Object interface {
	GetMeta() *Meta
	// Kind is the object's kind.
	Kind() Kind
	// Normalize fills defaults in place, so that what is stored and published
	// says what applies. It is idempotent.
	Normalize()
	// Validate checks the object by itself, references aside; the error is an
	// *Error with [CodeInvalidRequest] and the field to blame.
	Validate() error
	// Refs lists the objects that this one needs to exist.
	Refs() []Ref
}

// Ref is a reference from a field of one object to another object. A name is
// looked up in the referring object's tenant first, then in [PlatformTenant].
type Ref struct {
	Field string `json:"field"`
	Kind  Kind   `json:"kind"`
	Name  string `json:"name"`
}

var (
	namePattern      = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)
	modelNamePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/@+-]{0,127}$`)
	digitsPattern    = regexp.MustCompile(`^[0-9]+$`)
)

// validate checks name, tenant and description; names of digits only are
// refused, because a path may hold an id or a name.
func (m *Meta) validate(pattern *regexp.Regexp) error {
	if !pattern.MatchString(m.Name) || digitsPattern.MatchString(m.Name) {
		return Errorf(CodeInvalidRequest, "name %q must match %s and hold more than digits", clip(m.Name), pattern).At("/name")
	}
	if !namePattern.MatchString(m.Tenant) {
		return Errorf(CodeInvalidRequest, "tenant %q is not a tenant name", clip(m.Tenant)).At("/tenant")
	}
	if utf8.RuneCountInString(m.Description) > 500 {
		return Errorf(CodeInvalidRequest, "description is longer than 500 characters").At("/description")
	}
	return nil
}

// validStatus checks a status that has been normalized.
func validStatus(s Status) error {
	if s != StatusActive && s != StatusDisabled {
		return Errorf(CodeInvalidRequest, "status %q must be active or disabled", clip(string(s))).At("/status")
	}
	return nil
}

// orDefault returns v, or the default when v is the zero value.
func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
