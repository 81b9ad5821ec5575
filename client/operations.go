package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// RotateKey gives the key a new token and returns it, once; the old token stays
// valid for grace (0 to 30 days, whole seconds).
func (c *Client) RotateKey(ctx context.Context, tenant, ref string, grace time.Duration, opts sluice.WriteOptions) (sluice.Key, error) {
	var out sluice.Key
	body := map[string]int64{"grace_seconds": int64(grace / time.Second)}
	err := c.call(ctx, request{method: http.MethodPost, path: adminPath + "keys/" + url.PathEscape(ref) + "/rotate",
		query: tenantQuery(tenant), body: body, opts: opts}, &out)
	return out, err
}

// Records returns finished requests, newest first.
func (c *Client) Records(ctx context.Context, q sluice.RecordQuery) (sluice.Page[sluice.Record], error) {
	query := recordQuery(q)
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.Record]
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "records", query: query}, &page)
	return page, err
}

// Usage aggregates finished requests.
func (c *Client) Usage(ctx context.Context, q sluice.UsageQuery) ([]sluice.UsageRow, error) {
	query := recordQuery(q.RecordQuery)
	setText(query, "group_by", strings.Join(q.GroupBy, ","))
	var out struct {
		Items []sluice.UsageRow `json:"items"`
	}
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "usage", query: query}, &out)
	return out.Items, err
}

// Audit returns audit entries, newest first.
func (c *Client) Audit(ctx context.Context, q sluice.AuditQuery) (sluice.Page[sluice.AuditEntry], error) {
	query := tenantQuery(q.Tenant)
	setText(query, "actor", q.Actor)
	setText(query, "action", q.Action)
	setText(query, "kind", string(q.Kind))
	setText(query, "object", q.Object)
	setSpan(query, q.From, q.To)
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.AuditEntry]
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "audit", query: query}, &page)
	return page, err
}

// Events returns what operators have to hear of, newest first. Platform admins
// only.
func (c *Client) Events(ctx context.Context, q sluice.EventQuery) (sluice.Page[sluice.Event], error) {
	query := url.Values{}
	setText(query, "kind", q.Kind)
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.Event]
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "events", query: query}, &page)
	return page, err
}

// Gateways returns what the gateways last reported, sorted by name. Platform
// admins only.
func (c *Client) Gateways(ctx context.Context) ([]sluice.GatewayStatus, error) {
	var out struct {
		Items []sluice.GatewayStatus `json:"items"`
	}
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "gateways"}, &out)
	return out.Items, err
}

// VerifyAudit walks the whole audit chain and returns how many entries it
// holds; a break is [sluice.CodeDatabase]. Platform admins only.
func (c *Client) VerifyAudit(ctx context.Context) (entries uint64, err error) {
	var out struct {
		Entries uint64 `json:"entries"`
	}
	err = c.call(ctx, request{method: http.MethodPost, path: adminPath + "audit/verify"}, &out)
	return out.Entries, err
}

// Sync publishes the snapshot anew. Platform admins only.
func (c *Client) Sync(ctx context.Context) (revision uint64, err error) {
	var out struct {
		Revision uint64 `json:"revision"`
	}
	err = c.call(ctx, request{method: http.MethodPost, path: "/sync/snapshot"}, &out)
	return out.Revision, err
}

func recordQuery(q sluice.RecordQuery) url.Values {
	query := tenantQuery(q.Tenant)
	setText(query, "user", q.User)
	setText(query, "key", q.Key)
	setText(query, "model", q.Model)
	setText(query, "provider", q.Provider)
	setText(query, "route", q.Route)
	setText(query, "outcome", q.Outcome)
	setSpan(query, q.From, q.To)
	return query
}

func setSpan(q url.Values, from, to time.Time) {
	if !from.IsZero() {
		q.Set("from", from.UTC().Format(time.RFC3339Nano))
	}
	if !to.IsZero() {
		q.Set("to", to.UTC().Format(time.RFC3339Nano))
	}
}
