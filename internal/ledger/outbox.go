package ledger

import (
	"github.com/sluicegate/sluice"
)

// item is what one journal entry, or one direct call, made: it is committed as a
// whole.
type item struct {
	at        position
	opened    []sluice.Account
	floors    []floorChange
	transfers []sluice.Transfer
	confirms  []confirm
	anomalies []Anomaly
	record    *sluice.Record
}

// floorChange is the floor that an account has from an item on.
type floorChange struct {
	account sluice.AccountID
	floor   sluice.Nanos
}

// confirm is an amount that may be spent once its item is in the store.
type confirm struct {
	account *account
	amount  sluice.Nanos
}

func (i *item) anomaly(at position, request sluice.RequestID, reason string) {
	i.anomalies = append(i.anomalies, Anomaly{at.journal, at.seq, request, reason})
}

// Batch is what a store commits in one transaction.
type Batch struct {
	// Opened are new accounts; they come before transfers.
	Opened []sluice.Account
	// Floors is what accounts' floors are at the end of the batch, together with
	// their balances; those that are not named keep theirs.
	Floors map[sluice.AccountID]sluice.Nanos
	// Transfers in the order in which they took effect.
	Transfers []sluice.Transfer
	// Positions are the journals' positions after this batch.
	Positions map[string]uint64
	Anomalies []Anomaly
	// Records of the requests that entries of the batch end: what was charged, and
	// why, becomes visible at once.
	Records []*sluice.Record
	items   int
}

// Empty reports whether there is nothing to commit.
func (b Batch) Empty() bool { return b.items == 0 }

// MaxBatch is how many transfers, or accounts, a batch holds before it takes no
// more entries.
const MaxBatch = 4096

// Take returns the oldest part of what is not committed yet, whole entries only;
// of a broken book it is nothing.
// Until [Book.Committed] is called the same part is returned again, possibly
// with more behind it.
func (b *Book) Take() Batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := Batch{Floors: map[sluice.AccountID]sluice.Nanos{}, Positions: map[string]uint64{}}
	for i := range b.outbox {
		if b.Broken() != nil || len(batch.Transfers) >= MaxBatch || len(batch.Opened)+len(batch.Floors) >= MaxBatch {
			break
		}
		it := &b.outbox[i]
		batch.Opened = append(batch.Opened, it.opened...)
		for _, c := range it.floors {
			batch.Floors[c.account] = c.floor
		}
		batch.Transfers = append(batch.Transfers, it.transfers...)
		batch.Anomalies = append(batch.Anomalies, it.anomalies...)
		if it.record != nil {
			batch.Records = append(batch.Records, it.record)
		}
		if it.at.journal != "" {
			batch.Positions[it.at.journal] = it.at.seq
		}
		batch.items++
	}
	return batch
}

// Committed says that the store has a batch, durably: what it raised may be
// spent, and its positions are answered to the journals.
func (b *Book) Committed(batch Batch) {
	b.mu.Lock()
	defer b.leave(nil)
	if b.Broken() != nil {
		return
	}
	b.stalled = false
	for _, it := range b.outbox[:batch.items] {
		for _, c := range it.confirms {
			c.account.unconfirmed -= c.amount
			c.account.assert()
		}
	}
	n := copy(b.outbox, b.outbox[batch.items:])
	clear(b.outbox[n:])
	b.outbox = b.outbox[:n]
	for journal, seq := range batch.Positions {
		b.durable[journal] = seq
	}
}

// stall notes that the store did not take a batch.
func (b *Book) stall() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stalled = true
}

// Durable is the position of a journal in the store.
func (b *Book) Durable(journal string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.durable[journal]
}
