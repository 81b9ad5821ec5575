package api

import (
	"context"
	"net/http"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// registerEvents adds what operators have to hear of.
func (s *server) registerEvents() {
	register(s, operation{id: "list-events", method: http.MethodGet, path: adminPath + "events", tag: "system",
		summary:     "List anomalies and alarms, newest first",
		description: "Platform admins only. ledger.anomaly is something that must not happen and did not stop the ledger; ledger.violation is an invariant of the ledger that does not hold; ledger.alarm says that nothing could be booked for an hour."}, listEvents)
}

func listEvents(ctx context.Context, ses *control.Session, in *struct {
	Kind string `query:"kind" doc:"Such as ledger.anomaly; empty means all."`
	PageQuery
}) (*pageOutput[sluice.Event], error) {
	if err := requirePlatform(ses); err != nil {
		return nil, err
	}
	page, err := ses.Events(ctx, sluice.EventQuery{Kind: in.Kind, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.Event]{page}, nil
}
