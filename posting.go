package sluice

// CostLeg is what an attempt cost the house: Debit (usually an account of the
// kind [AccountCOGS]) to Credit (what is payable to the provider account).
type CostLeg struct {
	Debit  AccountID `json:"debit"`
	Credit AccountID `json:"credit"`
	Amount Nanos     `json:"amount"`
}

// Posting is how one attempt, or a whole request, ended in terms of money. It is
// written to the journal with TERMINAL and turned into transfers by the ledger.
// A request has exactly one final posting, over all of its attempts.
type Posting struct {
	Request RequestID `json:"request"`
	// Attempt counts from 1; 0 is the request itself, where no attempt is left
	// to name.
	Attempt uint16 `json:"attempt"`
	// Final resolves the request's hold by Charge. Without it only Cost is
	// booked.
	Final   bool    `json:"final"`
	Outcome Outcome `json:"outcome"`
	// Quantities is what was used, and Source where that is known from.
	Quantities Quantities  `json:"quantities"`
	Source     UsageSource `json:"source,omitempty"`
	// Price is what Charge was computed by, the same as in the hold.
	Price PriceRef `json:"price"`
	// Wallet pays Charge; it is what the hold named, repeated for a ledger that
	// does not have the hold any more.
	Wallet        AccountID `json:"wallet,omitempty"`
	DebtForbidden bool      `json:"debt_forbidden,omitempty"`
	// Charge is what the customer pays: never more than this, and never a
	// failure when it is above the hold.
	Charge Nanos `json:"charge"`
	// Cost is zero where the house owes nothing for the attempt.
	Cost CostLeg `json:"cost,omitzero"`
}

// Validate checks a posting by itself. The error is an *Error with
// [CodeInvalidRequest] and the field to blame.
func (p Posting) Validate() error {
	switch {
	case p.Request.IsZero():
		return Errorf(CodeInvalidRequest, "a posting needs a request id").At("/request")
	case p.Charge < 0 || p.Cost.Amount < 0:
		return Errorf(CodeInvalidRequest, "charge and cost must not be negative").At("/charge")
	case !p.Final && p.Charge != 0:
		return Errorf(CodeInvalidRequest, "only the final posting of a request charges").At("/charge")
	case !p.Final && p.Attempt == 0:
		return Errorf(CodeInvalidRequest, "a posting without an attempt must be final").At("/attempt")
	case p.Charge > 0 && p.Wallet.Kind() != AccountWallet:
		return Errorf(CodeInvalidRequest, "%q is not a wallet", clip(string(p.Wallet))).At("/wallet")
	}
	if p.Cost.Amount == 0 {
		return nil
	}
	if p.Cost.Debit.Kind() == "" || p.Cost.Credit.Kind() == "" || p.Cost.Debit == p.Cost.Credit || p.Cost.Debit.Asset() != p.Cost.Credit.Asset() {
		return Errorf(CodeInvalidRequest, "a cost flows between two accounts of one asset").At("/cost")
	}
	return nil
}
