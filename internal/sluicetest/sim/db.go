package sim

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// db is a system of record: each commit happens as a whole or not at all, and its
// answer may be lost.
type db struct {
	w         *World
	accounts  map[sluice.AccountID]*sluice.Account
	transfers []sluice.Transfer
	byID      map[sluice.TransferID]int
	positions map[string]uint64
	anomalies []ledger.Anomaly
}

func newDB(w *World) *db {
	return &db{w: w, accounts: map[sluice.AccountID]*sluice.Account{}, byID: map[sluice.TransferID]int{}, positions: map[string]uint64{}}
}

var errDB = errors.New("simulated: the connection was lost")

// away reports whether the database cannot be reached now.
func (w *World) away() bool {
	since := w.now.Sub(w.start.Add(awayAt))
	return since >= 0 && since < w.opts.Away
}

// Load implements [ledger.Store].
func (d *db) Load(context.Context) (ledger.State, error) {
	d.w.pause("db.load")
	s := ledger.State{Positions: map[string]uint64{}}
	resolved := map[sluice.TransferID]bool{}
	for _, t := range d.transfers {
		resolved[t.Pending] = true
	}
	for _, t := range d.transfers {
		if t.Kind == sluice.TransferPending && !resolved[t.ID] {
			s.Pending = append(s.Pending, t)
		}
	}
	s.Accounts = d.list()
	for journal, seq := range d.positions {
		s.Positions[journal] = seq
	}
	return s, nil
}

func (d *db) list() (all []sluice.Account) {
	for _, a := range d.accounts {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(x, y sluice.Account) int { return strings.Compare(string(x.ID), string(y.ID)) })
	return all
}

// Commit implements [ledger.Store].
func (d *db) Commit(_ context.Context, b ledger.Batch) error {
	d.w.pause("db.begin")
	if d.w.away() || d.w.chance(d.w.opts.Faults) {
		return errDB
	}
	for _, a := range b.Opened {
		d.open(a)
	}
	for _, t := range b.Transfers {
		if _, exists := d.byID[t.ID]; !exists {
			d.insert(t)
		}
	}
	d.bound(b.Floors)
	for journal, seq := range b.Positions {
		d.positions[journal] = max(d.positions[journal], seq)
	}
	d.anomalies = append(d.anomalies, b.Anomalies...)
	d.w.pause("db.committed")
	if d.w.chance(d.w.opts.Faults) {
		return errDB
	}
	return nil
}

// bound changes floors and checks what the database checks of every row (I4).
func (d *db) bound(floors map[sluice.AccountID]sluice.Nanos) {
	for id, floor := range floors {
		d.accounts[id].Floor = floor
	}
	for _, a := range d.accounts {
		if a.Floor != sluice.NoFloor && a.Posted-a.Pending < a.Floor {
			d.w.violate("I4: a commit takes %s to %s less %s, below %s", a.ID, a.Posted, a.Pending, a.Floor)
		}
	}
}

func (d *db) open(a sluice.Account) {
	if d.accounts[a.ID] == nil {
		d.accounts[a.ID] = &a
	}
}

func (d *db) insert(t sluice.Transfer) {
	d.byID[t.ID] = len(d.transfers)
	d.transfers = append(d.transfers, t)
	debit, credit := d.accounts[t.Debit], d.accounts[t.Credit]
	switch t.Kind {
	case sluice.TransferPending:
		debit.Pending += t.Amount
		return
	case sluice.TransferPost, sluice.TransferVoid:
		debit.Pending -= d.transfers[d.byID[t.Pending]].Amount
	}
	if t.Kind != sluice.TransferVoid {
		debit.Posted -= t.Amount
		credit.Posted += t.Amount
	}
}

// Accounts implements ledger.Store.
func (d *db) Accounts(_ context.Context, ids ...sluice.AccountID) (found []sluice.Account, err error) {
	d.w.pause("db.accounts")
	if d.w.away() || d.w.chance(d.w.opts.Faults) {
		return nil, errDB
	}
	for _, a := range d.list() {
		if slices.Contains(ids, a.ID) {
			found = append(found, a)
		}
	}
	return found, nil
}

// Find implements [ledger.Store].
func (d *db) Find(_ context.Context, ids ...sluice.TransferID) (found []sluice.Transfer, err error) {
	d.w.pause("db.find")
	if d.w.away() || d.w.chance(d.w.opts.Faults) {
		return nil, errDB
	}
	for _, id := range ids {
		if i, ok := d.byID[id]; ok {
			found = append(found, d.transfers[i])
		}
	}
	return found, nil
}
