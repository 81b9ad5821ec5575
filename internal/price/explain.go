package price

import "github.com/sluicegate/sluice"

// ExplainRecord says what a recorded request cost and why, by the version that
// it was admitted under. v is nil when the record names none, or one that is not
// known any more.
func ExplainRecord(r sluice.Record, v *Version) sluice.RecordCost {
	c := sluice.RecordCost{
		Record: r.ID, Time: r.Time, Tenant: r.Tenant, Model: r.Model, Outcome: r.Outcome, Source: r.UsageSource,
		Quantities: r.Usage.Quantities(), Multiplier: r.Price.Multiplier, Cost: r.Cost, Unpriced: r.Unpriced,
	}
	if v == nil {
		c.Reason = withoutVersion(r)
		return c
	}
	p := v.Price()
	c.Price = &p
	amount, err := v.Charge(c.Quantities, c.Multiplier)
	switch {
	case err != nil && r.Unpriced:
		c.Reason = sluice.AsError(err).Message + ", so there is no cost."
	case p.Free:
		c.Reason = "The model is free by this version."
	case r.Cost.Amount == 0 && amount != 0:
		c.Reason = whyNothing(r)
	case err != nil || amount != r.Cost.Amount:
		c.Reason = "The recorded cost does not follow from usage and price; ask the operator."
	default:
		c.Reason = "Each unit that was used, times its rate, times the multiplier of the group; rounded once."
		if r.UsageSource == sluice.UsageEstimated {
			c.Reason += " The provider stated no usage: what was used is counted here, or estimated."
		}
		c.Lines, _ = v.Explain(c.Quantities, c.Multiplier) // it fails where Charge does
	}
	return c
}

// withoutVersion says why a record has no price.
func withoutVersion(r sluice.Record) string {
	switch {
	case r.Price.Version != 0:
		return "The price version of the request is not known here."
	case r.Unpriced:
		return "The model had no price when the request was admitted, so there is no cost."
	case r.Model == "":
		return "Only requests to models have a cost."
	}
	return "The request was refused before it could cost anything, or it was made before there were prices."
}

// whyNothing gives the reason of an ending that is not charged.
func whyNothing(r sluice.Record) string {
	for _, content := range []bool{false, true} {
		if row, ok := sluice.EndingOf(r.Outcome, content); ok && row.Charge == sluice.ChargeNothing {
			return row.Reason
		}
	}
	if r.Usage.Total() > 0 {
		return "The operator charges nothing for this ending."
	}
	return "Nothing was used that anybody stated or counted."
}
