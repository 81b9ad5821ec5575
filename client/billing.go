package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
)

const billingPath = "/v1/billing/"

// Balance says what an owner may spend; without one, what the caller may.
func (c *Client) Balance(ctx context.Context, q sluice.BalanceQuery) (sluice.Balances, error) {
	query := walletQuery(q.WalletOwner)
	setText(query, "asset", q.Asset)
	var out sluice.Balances
	err := c.call(ctx, request{method: http.MethodGet, path: billingPath + "balance", query: query}, &out)
	return out, err
}

// BilledUsage aggregates what requests used and cost, the earliest bucket first.
func (c *Client) BilledUsage(ctx context.Context, q sluice.BilledUsageQuery) ([]sluice.UsageRow, error) {
	var out struct {
		Items []sluice.UsageRow `json:"items"`
	}
	err := c.call(ctx, request{method: http.MethodGet, path: billingPath + "usage", query: billedQuery(q)}, &out)
	return out.Items, err
}

// BilledUsageCSV renders BilledUsage as a table with a header.
func (c *Client) BilledUsageCSV(ctx context.Context, q sluice.BilledUsageQuery) ([]byte, error) {
	query := billedQuery(q)
	query.Set("format", "csv")
	var out []byte
	err := c.call(ctx, request{method: http.MethodGet, path: billingPath + "usage", query: query}, (*text)(&out))
	return out, err
}

func billedQuery(q sluice.BilledUsageQuery) url.Values {
	query := recordQuery(q.RecordQuery)
	setText(query, "group_by", strings.Join(q.GroupBy, ","))
	setText(query, "bucket", q.Bucket)
	return query
}

// Transactions returns the transfers of a wallet, newest first.
func (c *Client) Transactions(ctx context.Context, q sluice.StatementQuery) (sluice.Page[sluice.StatementLine], error) {
	query := walletQuery(q.WalletOwner)
	setText(query, "asset", q.Asset)
	setText(query, "code", string(q.Code))
	if !q.Request.IsZero() {
		query.Set("request_id", q.Request.String())
	}
	setSpan(query, q.From, q.To)
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.StatementLine]
	err := c.call(ctx, request{method: http.MethodGet, path: billingPath + "transactions", query: query}, &page)
	return page, err
}

// Payments returns top-ups, grants, redemptions, refunds and adjustments, newest
// first.
func (c *Client) Payments(ctx context.Context, q sluice.PaymentQuery) (sluice.Page[sluice.Payment], error) {
	query := walletQuery(q.WalletOwner)
	setText(query, "kind", string(q.Kind))
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.Payment]
	err := c.call(ctx, request{method: http.MethodGet, path: billingPath + "payments", query: query}, &page)
	return page, err
}

// TopUp credits a wallet with money that was received outside. created is false
// when the payment of that id was made before. Platform admins only.
func (c *Client) TopUp(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	return c.pay(ctx, "top-up", p, opts)
}

// Grant gives a wallet credit that may expire. Platform admins only.
func (c *Client) Grant(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	return c.pay(ctx, "grants", p, opts)
}

// Refund gives back what a request was charged, or a part of it. Platform admins
// only.
func (c *Client) Refund(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	return c.pay(ctx, "refunds", p, opts)
}

// Adjust corrects a wallet, up or down; one that names a grant takes back what is
// left of it. Platform admins only.
func (c *Client) Adjust(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	return c.pay(ctx, "adjustments", p, opts)
}

func (c *Client) pay(ctx context.Context, how string, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	if opts.IdempotencyKey == "" {
		opts.IdempotencyKey = p.ID // the id makes it repeatable already
	}
	status := 0
	err = c.call(ctx, request{method: http.MethodPost, path: billingPath + how, query: url.Values{}, body: p, opts: opts, status: &status}, &out)
	return out, status == http.StatusCreated, err
}

// CreateCodes makes redemption codes and returns them, once with their plaintext.
// Platform admins only.
func (c *Client) CreateCodes(ctx context.Context, order sluice.CodeOrder, opts sluice.WriteOptions) ([]sluice.RedemptionCode, error) {
	var out struct {
		Items []sluice.RedemptionCode `json:"items"`
	}
	err := c.call(ctx, request{method: http.MethodPost, path: billingPath + "codes", query: url.Values{}, body: order, opts: opts}, &out)
	return out.Items, err
}

// Codes returns redemption codes by ascending number. Platform admins only.
func (c *Client) Codes(ctx context.Context, q sluice.CodeQuery) (sluice.Page[sluice.RedemptionCode], error) {
	query := url.Values{}
	if q.Order > 0 {
		query.Set("order", strconv.FormatUint(q.Order, 10))
	}
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.RedemptionCode]
	err := c.call(ctx, request{method: http.MethodGet, path: billingPath + "codes", query: query}, &page)
	return page, err
}

// RevokeCode makes a code void. Platform admins only.
func (c *Client) RevokeCode(ctx context.Context, id uint64) (sluice.RedemptionCode, error) {
	var out sluice.RedemptionCode
	err := c.call(ctx, request{method: http.MethodDelete, path: billingPath + "codes/" + strconv.FormatUint(id, 10)}, &out)
	return out, err
}

// Redeem turns a code into money in the wallet of the caller's tenant or user; an
// empty wallet is the tenant's where the caller may, otherwise the user's.
func (c *Client) Redeem(ctx context.Context, code, wallet string, opts sluice.WriteOptions) (sluice.Payment, error) {
	body := map[string]string{"code": code}
	if wallet != "" {
		body["wallet"] = wallet
	}
	var out sluice.Payment
	err := c.call(ctx, request{method: http.MethodPost, path: billingPath + "redeem", query: url.Values{}, body: body, opts: opts}, &out)
	return out, err
}

func walletQuery(of sluice.WalletOwner) url.Values {
	query := tenantQuery(of.Tenant)
	setText(query, "user", of.User)
	setText(query, "key", of.Key)
	return query
}
