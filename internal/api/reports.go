package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// RecordsFilter selects finished requests.
type RecordsFilter struct {
	Tenant   string    `query:"tenant" doc:"Empty means the caller's own, * every tenant the caller may see."`
	User     string    `query:"user"`
	Key      string    `query:"key"`
	Model    string    `query:"model"`
	Provider string    `query:"provider"`
	Route    string    `query:"route"`
	Outcome  string    `query:"outcome" enum:"complete,refused,error,incomplete,client_gone,timeout,internal,shutting_down"`
	From     time.Time `query:"from" doc:"Inclusive, RFC 3339."`
	To       time.Time `query:"to" doc:"Exclusive, RFC 3339."`
}

func (in RecordsFilter) query() sluice.RecordQuery {
	return sluice.RecordQuery{Tenant: in.Tenant, User: in.User, Key: in.Key, Model: in.Model, Provider: in.Provider,
		Route: in.Route, Outcome: in.Outcome, From: in.From, To: in.To}
}

// PageQuery asks for one page of a list.
type PageQuery struct {
	Cursor string `query:"cursor" doc:"The next of the previous page."`
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"The size of a page; 0 means 50."`
}

// registerReports adds what is read about traffic and about changes.
func (s *server) registerReports() {
	register(s, operation{id: "list-records", method: http.MethodGet, path: adminPath + "records", tag: "reports",
		summary: "List finished requests, newest first"}, listRecords)
	register(s, operation{id: "get-usage", method: http.MethodGet, path: adminPath + "usage", tag: "reports",
		summary: "Aggregate finished requests"}, getUsage)
	register(s, operation{id: "list-audit", method: http.MethodGet, path: adminPath + "audit", tag: "reports",
		summary: "List audit entries, newest first"}, listAudit)
	register(s, operation{id: "verify-audit", method: http.MethodPost, path: adminPath + "audit/verify", tag: "reports",
		summary: "Verify the audit log's hash chain", description: "Platform admins only. A broken chain is CONFIG_005 naming the entry.",
		errors: []sluice.Code{sluice.CodeDatabase}}, verifyAudit)
	register(s, operation{id: "get-stats", method: http.MethodGet, path: "/admin/stats", tag: "reports",
		summary: "Totals of the last 24 hours"}, s.getStats)
}

func listRecords(ctx context.Context, ses *control.Session, in *struct {
	RecordsFilter
	PageQuery
}) (*pageOutput[sluice.Record], error) {
	q := in.query()
	q.Cursor, q.Limit = in.Cursor, in.Limit
	page, err := ses.Records(ctx, q)
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.Record]{page}, nil
}

type usageOutput struct {
	Body struct {
		Items []sluice.UsageRow `json:"items"`
	}
}

func getUsage(ctx context.Context, ses *control.Session, in *struct {
	RecordsFilter
	GroupBy string `query:"group_by" doc:"Comma-separated: tenant, user, key, model, provider, route, outcome, hour, day."`
}) (*usageOutput, error) {
	q := sluice.UsageQuery{RecordQuery: in.query()}
	if in.GroupBy != "" {
		q.GroupBy = strings.Split(in.GroupBy, ",")
	}
	rows, err := ses.Usage(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &usageOutput{}
	out.Body.Items = append([]sluice.UsageRow{}, rows...)
	return out, nil
}

func listAudit(ctx context.Context, ses *control.Session, in *struct {
	Tenant string      `query:"tenant" doc:"Empty means the caller's own, * every tenant the caller may see."`
	Actor  string      `query:"actor" doc:"\"<tenant>/<user>\", or \"system\"."`
	Action string      `query:"action"`
	Kind   sluice.Kind `query:"kind"`
	Object string      `query:"object"`
	From   time.Time   `query:"from" doc:"Inclusive, RFC 3339."`
	To     time.Time   `query:"to" doc:"Exclusive, RFC 3339."`
	PageQuery
}) (*pageOutput[sluice.AuditEntry], error) {
	page, err := ses.Audit(ctx, sluice.AuditQuery{Tenant: in.Tenant, Actor: in.Actor, Action: in.Action, Kind: in.Kind,
		Object: in.Object, From: in.From, To: in.To, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.AuditEntry]{page}, nil
}

type verifyOutput struct {
	Body struct {
		Entries uint64 `json:"entries" doc:"How many entries the unbroken chain holds."`
	}
}

func verifyAudit(ctx context.Context, ses *control.Session, _ *none) (*verifyOutput, error) {
	entries, err := ses.VerifyAudit(ctx)
	if err != nil {
		return nil, err
	}
	out := &verifyOutput{}
	out.Body.Entries = entries
	return out, nil
}

// statsOutput sums up the last day for the caller's own tenant, or for a
// platform admin over all tenants.
type statsOutput struct {
	Body struct {
		From     time.Time    `json:"from"`
		To       time.Time    `json:"to"`
		Requests int64        `json:"requests"`
		Errors   int64        `json:"errors"`
		Usage    sluice.Usage `json:"usage"`
		// Cost is the exact sum for each asset.
		Cost     []sluice.Money `json:"cost,omitempty"`
		Gateways int            `json:"gateways" doc:"How many gateways report; platform admins only."`
	}
}

func (s *server) getStats(ctx context.Context, ses *control.Session, _ *none) (*statsOutput, error) {
	now := s.Clock().UTC()
	q := sluice.UsageQuery{RecordQuery: sluice.RecordQuery{From: now.Add(-24 * time.Hour), To: now}}
	out := &statsOutput{}
	if ses.Caller().Platform {
		q.Tenant = "*"
		out.Body.Gateways = len(s.Gateways())
	}
	rows, err := ses.Usage(ctx, q)
	if err != nil {
		return nil, err
	}
	out.Body.From, out.Body.To = q.From, q.To
	if len(rows) > 0 {
		out.Body.Requests, out.Body.Errors, out.Body.Usage = rows[0].Requests, rows[0].Errors, rows[0].Usage
		out.Body.Cost = rows[0].Cost
	}
	return out, nil
}
