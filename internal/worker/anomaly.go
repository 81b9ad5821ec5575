package worker

import (
	"context"

	"github.com/sluicegate/sluice/internal/ledger"
)

// TellAnomalies returns a store that commits to another one and tells of each
// anomaly once that has it.
func TellAnomalies(to ledger.Store, tell func(ledger.Anomaly)) ledger.Store {
	return teller{to, tell}
}

// teller is the store of TellAnomalies.
type teller struct {
	ledger.Store
	tell func(ledger.Anomaly)
}

// Commit implements [ledger.Store].
func (t teller) Commit(ctx context.Context, batch ledger.Batch) error {
	if err := t.Store.Commit(ctx, batch); err != nil {
		return err
	}
	for _, a := range batch.Anomalies {
		t.tell(a)
	}
	return nil
}
