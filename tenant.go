package sluice

// Tenant is a customer of the installation: it owns users, keys and, if it
// likes, providers, models and routes of its own. Tenants belong to the
// platform; their own Tenant field names themselves.
type Tenant struct {
	Meta
	// Status disabled stops every key and user of the tenant at once.
	Status Status `json:"status,omitempty" enum:"active,disabled"`
	// Spending is how the tenant pays: prepaid, the default, spends what was
	// topped up; postpaid spends on credit. Only a platform admin changes it and
	// the other terms of payment.
	Spending string `json:"spending,omitempty" enum:"prepaid,postpaid"`
	// CreditLimit is how far a postpaid wallet may go below zero, in the asset of
	// the limit; wallets in other assets then have no credit.
	CreditLimit *Money `json:"credit_limit,omitempty"`
	// UnlimitedCredit says on purpose that a postpaid tenant has no credit limit.
	UnlimitedCredit bool `json:"unlimited_credit,omitempty"`
	// DebtForbidden has the house bear what a request costs beyond what was held
	// for it and the wallet has, instead of the tenant owing it.
	DebtForbidden bool `json:"debt_forbidden,omitempty"`
	// Durability is what an answer waits for before its last piece leaves: strict
	// (the default of prepaid) for what it cost to survive a loss of power, fast
	// (the default of postpaid) for it to survive the death of the process.
	Durability string `json:"durability,omitempty" enum:"strict,fast"`
}

// How a tenant pays, and what its answers wait for; see [Tenant].
const (
	SpendingPrepaid  = "prepaid"
	SpendingPostpaid = "postpaid"
	DurabilityStrict = "strict"
	DurabilityFast   = "fast"
)

// maxCredit bounds credit limits and caps: a billion units.
const maxCredit = Nanos(NanosPerUnit) * 1_000_000_000

// Kind returns [KindTenant].
func (*Tenant) Kind() Kind { return KindTenant }

// Normalize implements [Object].
func (t *Tenant) Normalize() {
	t.Status = orDefault(t.Status, StatusActive)
	t.Tenant = t.Name
	t.Spending = orDefault(t.Spending, SpendingPrepaid)
	if t.Durability == "" {
		t.Durability = DurabilityStrict
		if t.Spending == SpendingPostpaid {
			t.Durability = DurabilityFast
		}
	}
}

// Validate implements [Object].
func (t *Tenant) Validate() error {
	if err := t.validate(namePattern); err != nil {
		return err
	}
	if err := t.validateTerms(); err != nil {
		return err
	}
	return validStatus(t.Status)
}

// validateTerms checks the terms of payment.
func (t *Tenant) validateTerms() error {
	postpaid := t.Spending == SpendingPostpaid
	switch {
	case !postpaid && t.Spending != SpendingPrepaid:
		return Errorf(CodeInvalidRequest, "spending must be prepaid or postpaid").At("/spending")
	case t.Durability != DurabilityStrict && t.Durability != DurabilityFast:
		return Errorf(CodeInvalidRequest, "durability must be strict or fast").At("/durability")
	case !postpaid && (t.CreditLimit != nil || t.UnlimitedCredit):
		return Errorf(CodeInvalidRequest, "a prepaid tenant has no credit").At("/credit_limit")
	case postpaid && (t.CreditLimit != nil) == t.UnlimitedCredit:
		return Errorf(CodeInvalidRequest, "a postpaid tenant has a credit_limit, or unlimited_credit").At("/credit_limit")
	case t.CreditLimit != nil && (t.CreditLimit.Amount < 0 || t.CreditLimit.Amount > maxCredit):
		return Errorf(CodeInvalidRequest, "credit_limit must be 0 to %s", maxCredit).At("/credit_limit/amount")
	case t.CreditLimit != nil && !KnownAsset(t.CreditLimit.Asset):
		return Errorf(CodeInvalidRequest, "%q is not a currency of ISO 4217", clip(t.CreditLimit.Asset)).At("/credit_limit/asset")
	}
	return nil
}

// Floor is what the tenant's own wallet in an asset may go down to; see
// [Hold.Floor].
func (t *Tenant) Floor(asset string) Nanos {
	switch {
	case t.UnlimitedCredit:
		return NoFloor
	case t.CreditLimit != nil && t.CreditLimit.Asset == asset:
		return -t.CreditLimit.Amount
	}
	return 0
}

// Refs implements [Object].
func (*Tenant) Refs() []Ref { return nil }
