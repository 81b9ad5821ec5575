package worker

import (
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
)

// factOf is a journal entry as the ledger sees it.
func factOf(e *journal.Entry) ledger.Fact {
	f := ledger.Fact{Seq: uint64(max(e.Seq, e.Through)), Lost: e.Kind == journal.Lost}
	switch e.Kind {
	case journal.Open:
		f.Hold = e.Hold
	case journal.Terminal:
		f.Posting = e.Posting
	}
	return f
}

// recordOf is the record of the request that an entry ends; ok is false for
// every other entry. err says that the entry's own record could not be read:
// what is returned then is made from the posting alone.
func recordOf(e *journal.Entry) (r sluice.Record, ok bool, err error) {
	if e.Kind != journal.Terminal || e.Posting == nil || !e.Posting.Final {
		return r, false, nil
	}
	if len(e.Record) > 0 {
		r, err = sluice.DecodeRecord(e.Record)
	}
	if err == nil && r.ID != "" && r.Outcome == e.Posting.Outcome {
		return r, true, nil
	}
	return complete(r, e), true, err
}

// complete makes a record tell what a posting does. A gateway that died wrote
// none for its request, or one as it was when the request began; what is booked
// has to be explained all the same.
func complete(r sluice.Record, e *journal.Entry) sluice.Record {
	p := e.Posting
	r.ID, r.Outcome = p.Request.String(), p.Outcome
	if r.Time.IsZero() {
		r.Time = p.Request.Time()
	}
	r.Usage, r.UsageSource, r.Price = p.Quantities.Usage(), p.Source, p.Price
	if asset := p.Wallet.Asset(); asset != "" {
		r.Cost = sluice.Money{Amount: p.Charge, Asset: asset}
	}
	if r.LatencyMS == 0 && e.At.After(r.Time) && p.Outcome != sluice.OutcomeCrash {
		r.LatencyMS = e.At.Sub(r.Time).Milliseconds()
	}
	if r.Tenant == "" {
		r.Tenant, r.User = payer(p.Wallet)
	}
	return r
}

// payer is whose wallet it is, as far as its name tells: that of a key names
// neither tenant nor user.
func payer(wallet sluice.AccountID) (tenant, user string) {
	name, _, _ := strings.Cut(string(wallet), "@")
	_, owner, _ := strings.Cut(name, ":")
	switch parts := strings.Split(owner, "/"); {
	case len(parts) == 1:
		return owner, ""
	case len(parts) == 3 && parts[0] == sluice.WalletUser:
		return parts[1], parts[2]
	}
	return "", ""
}
