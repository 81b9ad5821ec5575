package api

import (
	"context"
	"net/http"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// registerLedger adds the condition of the books.
func (s *server) registerLedger() {
	register(s, operation{id: "get-ledger-invariants", method: http.MethodGet, path: adminPath + "ledger/invariants", tag: "system", ledger: true,
		summary:     "Say for each invariant of money whether it holds",
		description: "Platform admins only. Some are measured every ten seconds, all sums of transfers each night, the rest by `sluice ledger verify`.",
		errors:      []sluice.Code{sluice.CodeUnsupported}}, s.ledgerInvariants)
}

type ledgerOutput struct{ Body sluice.LedgerStatus }

func (s *server) ledgerInvariants(_ context.Context, ses *control.Session, _ *none) (*ledgerOutput, error) {
	if err := requirePlatform(ses); err != nil {
		return nil, err
	}
	if s.LedgerStatus == nil {
		return nil, sluice.Errorf(sluice.CodeUnsupported, "this process has no books")
	}
	return &ledgerOutput{s.LedgerStatus()}, nil
}
