package ledger

import (
	"time"

	"github.com/sluicegate/sluice"
)

// Transfer books transfers that no request makes, all or none: top-ups, grants,
// refunds, corrections. The answer is the transfers as booked. The same ids with
// the same content again are the same answer; with other content,
// [sluice.CodeConflict]. [sluice.CodeInsufficientBalance] when a debit would go
// below its account's floor; [sluice.CodeNotFound] for an account that does not
// exist; [sluice.CodeConflict] for a credit to a grant that has expired;
// [sluice.CodeInvalidRequest].
//
// What is credited to a wallet first repays what its owner owes: a transfer of its
// own in the same transaction, which the answer does not list. What is left may
// be spent once the store has it. Use [Poster.Transfer],
// which knows what the book has forgotten.
func (b *Book) Transfer(now time.Time, transfers ...sluice.Transfer) (made []sluice.Transfer, err error) {
	if len(transfers) == 0 {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "there is nothing to transfer")
	}
	b.mu.Lock()
	defer b.leave(&err)
	if err := b.Broken(); err != nil {
		return nil, err
	}
	if old, known, err := b.repeated(transfers); known || err != nil {
		return old, err
	}
	out, booked := item{}, []sluice.Transfer(nil)
	for i, t := range transfers {
		t.Txn, t.BookedAt = transfers[0].ID, now
		if err := b.single(t, &out, now); err != nil {
			b.undo(out)
			if len(transfers) == 1 {
				return nil, err
			}
			return nil, sluice.AsError(err).With("transfer", i)
		}
		booked = append(booked, t)
	}
	for _, t := range booked {
		b.direct.put(t.ID, t)
	}
	b.outbox = append(b.outbox, out)
	return booked, nil
}

// repeated answers transfers that were booked before.
func (b *Book) repeated(transfers []sluice.Transfer) (old []sluice.Transfer, known bool, err error) {
	for _, t := range transfers {
		was, ok := b.direct.by[t.ID]
		if !ok {
			continue
		}
		t.Txn = transfers[0].ID
		if !was.SameContent(t) {
			return nil, true, sluice.Errorf(sluice.CodeConflict, "transfer %s was booked with other content", t.ID).With("id", t.ID.String())
		}
		old = append(old, was)
	}
	if len(old) > 0 && len(old) < len(transfers) {
		return nil, true, sluice.Errorf(sluice.CodeConflict, "some of these transfers were booked without the others")
	}
	return old, len(old) > 0, nil
}

// single books one transfer.
func (b *Book) single(t sluice.Transfer, out *item, now time.Time) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if t.Kind != sluice.TransferSingle || t.Amount > maxAmount {
		return sluice.Errorf(sluice.CodeInvalidRequest, "only single transfers of amounts in range are made directly").At("/kind")
	}
	from, to := b.account(t.Debit), b.account(t.Credit)
	if from == nil || to == nil {
		return sluice.Errorf(sluice.CodeNotFound, "there is no account %s, or no %s", t.Debit, t.Credit)
	}
	if from.available() < t.Amount {
		return insufficient(t.Amount, max(from.available(), 0))
	}
	if !to.ExpiresAt.IsZero() && !to.ExpiresAt.After(now) {
		return sluice.Errorf(sluice.CodeConflict, "grant %s has expired", to.ID)
	}
	if sum, ok := to.Posted.Add(t.Amount); !ok || sum > maxAmount {
		return sluice.Errorf(sluice.CodeInvalidRequest, "account %s would overflow", to.ID).At("/amount")
	}
	from.add(-t.Amount)
	to.add(t.Amount)
	out.transfers = append(out.transfers, t)
	if kept := t.Amount - b.repay(t, to, out); to.bounded() {
		to.unconfirmed += kept
		out.confirms = append(out.confirms, confirm{to, kept})
	}
	from.assert()
	to.assert()
	return nil
}

// repay pays what a wallet's owner owes out of what came in, and returns how
// much that took.
func (b *Book) repay(in sluice.Transfer, wallet *account, out *item) sluice.Nanos {
	if wallet.ID.Kind() != sluice.AccountWallet {
		return 0
	}
	debt := b.accounts[sluice.OwnedAccount(sluice.AccountReceivable, owner(wallet.ID), wallet.Asset)]
	if debt == nil || debt.Posted >= 0 || in.Debit == debt.ID {
		return 0
	}
	part := min(in.Amount, -debt.Posted)
	wallet.add(-part)
	debt.add(part)
	out.transfers = append(out.transfers, sluice.Transfer{
		ID: sluice.NewTransferID(in.ID.String(), "repay", 0), Txn: in.Txn, Debit: wallet.ID, Credit: debt.ID, Amount: part,
		Kind: sluice.TransferSingle, Code: sluice.TransferRepay, BookedAt: in.BookedAt,
	})
	return part
}

// undo takes back what single booked.
func (b *Book) undo(out item) {
	for _, t := range out.transfers {
		b.accounts[t.Debit].add(t.Amount)
		b.accounts[t.Credit].add(-t.Amount)
	}
	for _, c := range out.confirms {
		c.account.unconfirmed -= c.amount
	}
}
