package worker

import "github.com/sluicegate/sluice/internal/ledger"

// Found is what a check does with a violation.
func (b *Books) Found(v ledger.Violation) { b.watch.toTell(v) }
