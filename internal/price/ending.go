package price

import "github.com/sluicegate/sluice"

// Ended is how a request ended, as far as its cost goes.
type Ended struct {
	Outcome sluice.Outcome
	// Content says whether any content had reached the client.
	Content bool
	Usage   sluice.Usage
	Source  sluice.UsageSource
}

// Quantities returns what an ended request is charged for, by the default row of
// the table of endings; charged is false for an ending that costs nothing. Of a
// client that hung up before any content nothing is charged unless a provider
// stated, or Sluice counted, some use.
func (e Ended) Quantities() (q sluice.Quantities, charged bool) {
	row, ok := sluice.EndingOf(e.Outcome, e.Content)
	unknown := e.Source == sluice.UsageNone && e.Usage.Total() == 0
	if !ok || row.Charge == sluice.ChargeNothing || unknown && e.Outcome != sluice.OutcomeComplete {
		return sluice.Quantities{}, false
	}
	return e.Usage.Quantities(), true
}

// Cost returns what an ended request costs. Its errors are those of
// [Version.Charge].
func (v *Version) Cost(e Ended, m sluice.Multiplier) (sluice.Money, error) {
	q, charged := e.Quantities()
	if !charged {
		return sluice.Money{Asset: v.price.Asset}, nil
	}
	amount, err := v.Charge(q, m)
	if err != nil {
		return sluice.Money{}, err
	}
	return sluice.Money{Amount: amount, Asset: v.price.Asset}, nil
}
