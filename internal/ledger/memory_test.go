package ledger_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// memory is a store in memory.
type memory struct {
	accounts  map[sluice.AccountID]*sluice.Account
	transfers []sluice.Transfer
	byID      map[sluice.TransferID]sluice.Transfer
	positions map[string]uint64
	anomalies []ledger.Anomaly
	records   []*sluice.Record
	fail      error // what Commit answers, having done nothing
	drop      bool  // keep nothing, for benchmarks
}

func newMemory() *memory {
	return &memory{accounts: map[sluice.AccountID]*sluice.Account{}, byID: map[sluice.TransferID]sluice.Transfer{}, positions: map[string]uint64{}}
}

func (m *memory) open(a sluice.Account) {
	if m.accounts[a.ID] == nil {
		m.accounts[a.ID] = &a
	}
}

func (m *memory) list() (all []sluice.Account) {
	for _, a := range m.accounts {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(x, y sluice.Account) int { return strings.Compare(string(x.ID), string(y.ID)) })
	return all
}

func (m *memory) Load(context.Context) (ledger.State, error) {
	s := ledger.State{Accounts: m.list(), Positions: m.positions}
	resolved := map[sluice.TransferID]bool{}
	for _, t := range m.transfers {
		resolved[t.Pending] = true
	}
	for _, t := range m.transfers {
		if t.Kind == sluice.TransferPending && !resolved[t.ID] {
			s.Pending = append(s.Pending, t)
		}
	}
	return s, nil
}

func (m *memory) Find(_ context.Context, ids ...sluice.TransferID) (found []sluice.Transfer, err error) {
	for _, id := range ids {
		if t, ok := m.byID[id]; ok {
			found = append(found, t)
		}
	}
	return found, nil
}

func (m *memory) Accounts(_ context.Context, ids ...sluice.AccountID) (found []sluice.Account, err error) {
	for _, id := range ids {
		if a := m.accounts[id]; a != nil {
			found = append(found, *a)
		}
	}
	return found, m.fail
}

func (m *memory) Commit(_ context.Context, b ledger.Batch) error {
	if m.fail != nil || m.drop {
		return m.fail
	}
	for _, a := range b.Opened {
		m.open(a)
	}
	for _, t := range b.Transfers {
		if _, ok := m.byID[t.ID]; ok {
			continue
		}
		m.byID[t.ID] = t
		m.transfers = append(m.transfers, t)
		switch t.Kind {
		case sluice.TransferPending:
			m.accounts[t.Debit].Pending += t.Amount
			continue
		case sluice.TransferPost, sluice.TransferVoid:
			m.accounts[t.Debit].Pending -= m.byID[t.Pending].Amount
		}
		if t.Kind != sluice.TransferVoid {
			m.accounts[t.Debit].Posted -= t.Amount
			m.accounts[t.Credit].Posted += t.Amount
		}
	}
	for id, floor := range b.Floors {
		m.accounts[id].Floor = floor
	}
	for id, a := range m.accounts {
		if a.Floor != sluice.NoFloor && a.Posted-a.Pending < a.Floor {
			return fmt.Errorf("a check of the store: %s would be below its floor", id)
		}
	}
	for journal, seq := range b.Positions {
		m.positions[journal] = max(m.positions[journal], seq)
	}
	m.anomalies = append(m.anomalies, b.Anomalies...)
	m.records = append(m.records, b.Records...)
	return nil
}
