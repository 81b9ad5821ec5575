package sluice

// Tenant is a customer of the installation: it owns users, keys and, if it
// likes, providers, models and routes of its own. Tenants belong to the
// platform; their own Tenant field names themselves.
type Tenant struct {
	Meta
	// Status disabled stops every key and user of the tenant at once.
	Status Status `json:"status,omitempty" enum:"active,disabled"`
}

// Kind returns [KindTenant].
func (*Tenant) Kind() Kind { return KindTenant }

// Normalize implements [Object].
func (t *Tenant) Normalize() {
	t.Status = orDefault(t.Status, StatusActive)
	t.Tenant = t.Name
}

// Validate implements [Object].
func (t *Tenant) Validate() error {
	if err := t.validate(namePattern); err != nil {
		return err
	}
	return validStatus(t.Status)
}

// Refs implements [Object].
func (*Tenant) Refs() []Ref { return nil }
