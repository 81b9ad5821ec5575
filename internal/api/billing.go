package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

const billingPath = "/v1/billing/"

// WalletFilter names whose wallet is meant.
type WalletFilter struct {
	Tenant string `query:"tenant" doc:"Empty means the caller's own."`
	User   string `query:"user" doc:"The wallet of this user of the tenant."`
	Key    string `query:"key" doc:"The wallet of this key of the tenant, by name or number."`
}

func (in WalletFilter) owner() sluice.WalletOwner {
	return sluice.WalletOwner{Tenant: in.Tenant, User: in.User, Key: in.Key}
}

// RepeatQuery makes a write a trial, or safe to repeat.
type RepeatQuery struct {
	TrialQuery
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same request with the same key is done once."`
}

func (in RepeatQuery) options() sluice.WriteOptions {
	return sluice.WriteOptions{DryRun: in.DryRun, IdempotencyKey: in.IdempotencyKey}
}

// registerBilling adds wallets: what is in them, what they were spent on, and what
// fills them.
func (s *server) registerBilling() {
	register(s, operation{id: "get-balance", method: http.MethodGet, path: billingPath + "balance", tag: "billing", ledger: true,
		summary:     "Read what may be spent",
		description: "The wallets of a tenant, of a user with the caps of the user's keys, or of a key with its caps. Callers who may read their own only get their user's when they name none.",
	}, getBalance)
	register(s, operation{id: "get-billing-usage", method: http.MethodGet, path: billingPath + "usage", tag: "billing", table: reflect.TypeFor[usageBody](),
		summary:     "Aggregate what requests used and cost",
		description: "From the records of finished requests; money is in decimal strings. Without from it begins with the month of to, without to it ends now. At most 10,000 rows.",
	}, getBilledUsage)
	register(s, operation{id: "list-transactions", method: http.MethodGet, path: billingPath + "transactions", tag: "billing", table: reflect.TypeFor[sluice.Page[sluice.StatementLine]](),
		summary:     "List the transfers of a wallet, its grants and its debts, newest first",
		description: "posted is by how much a transfer moved the balance, held by how much it moved what is set aside. As CSV, the next page's cursor is in the header Sluice-Next-Cursor.",
	}, listTransactions)
	register(s, operation{id: "list-grants", method: http.MethodGet, path: billingPath + "grants", tag: "billing",
		summary: "List the grants of a wallet, newest first", description: "What is left of them is in the balance."}, listGrants)
	register(s, operation{id: "list-payments", method: http.MethodGet, path: billingPath + "payments", tag: "billing",
		summary: "List top-ups, grants, redemptions, refunds and adjustments of a wallet, newest first", description: "Those of its users and keys are theirs; tenant=* lists all of every tenant, for platform admins."}, listPayments)
	s.registerPayments()
	s.registerCodes()
}

// registerPayments adds what moves money without a request.
func (s *server) registerPayments() {
	const once = "The id means one payment for ever: the same content again is answered 200 with what was made, other content 409 naming the field. Without an id, the Idempotency-Key stands for it. Platform admins only."
	expires := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	acme := sluice.WalletOwner{Tenant: "acme"}
	for _, p := range []struct {
		id, path, summary, description string
		example                        sluice.Payment
		make                           func(*control.Session, context.Context, sluice.Payment, sluice.WriteOptions) (sluice.Payment, bool, error)
	}{
		{"top-up", "top-up", "Credit a wallet with money that was received", "The wallet of a tenant, or of a user or key of it, is opened when it is new. " + once,
			sluice.Payment{ID: "invoice-2026-017", WalletOwner: acme, Amount: 25 * sluice.NanosPerUnit, Asset: "USD", Note: "wire of 3 March"}, (*control.Session).TopUp},
		{"create-grant", "grants", "Give a wallet credit that may expire", "Grants are spent before the wallet, the earliest to expire first. " + once,
			sluice.Payment{ID: "welcome-acme", WalletOwner: acme, Amount: 5 * sluice.NanosPerUnit, Asset: "USD", ExpiresAt: expires}, (*control.Session).Grant},
		{"create-refund", "refunds", "Give back what a request was charged", "To the wallet that paid, in its asset: send request_id, and amount for a part of what is left. All refunds together never exceed the charge. " + once,
			sluice.Payment{ID: "ticket-4711", Request: sluice.RequestID{1, 0x9c, 0xa9, 0x45, 0x0a, 0x7b, 0x7a, 0xbc, 0x8d, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab}, Amount: 1_250_000, Note: "answer was cut"}, (*control.Session).Refund},
		{"create-adjustment", "adjustments", "Correct a wallet, up or down", "An amount below zero takes money out: for what was paid back outside, or entered wrongly. It never takes a wallet below what its owner's terms allow. One that names a grant takes back what is left of it, or with an amount a part: send grant and amount alone. " + once,
			sluice.Payment{ID: "invoice-2026-017-void", WalletOwner: acme, Amount: -25 * sluice.NanosPerUnit, Asset: "USD", Note: "entered twice"}, (*control.Session).Adjust},
	} {
		register(s, operation{id: p.id, method: http.MethodPost, path: billingPath + p.path, tag: "billing", upsert: true, ledger: true, summary: p.summary, description: p.description,
			body: reflect.TypeFor[sluice.Payment](), example: p.example, errors: paymentErrors(p.id)},
			func(ctx context.Context, ses *control.Session, in *RepeatQuery) (*paymentOutput, error) {
				var asked sluice.Payment
				if err := decodeBody(ctx, &asked, map[string]string{"reason": "the reason belongs into note"}); err != nil {
					return nil, err
				}
				return madePayment(p.make(ses, ctx, asked, in.options()))
			})
	}
}

// paymentErrors are what payments answer beyond what every operation may.
func paymentErrors(id string) []sluice.Code {
	codes := []sluice.Code{sluice.CodeConflict, sluice.CodeIdempotency, sluice.CodeUnavailable}
	switch id {
	case "create-refund":
		codes = append(codes, sluice.CodeNotFound)
	case "create-adjustment":
		codes = append(codes, sluice.CodeNotFound, sluice.CodeInsufficientBalance)
	}
	return codes
}

type paymentOutput struct {
	Status int
	Body   sluice.Payment
}

func madePayment(p sluice.Payment, created bool, err error) (*paymentOutput, error) {
	if err != nil {
		return nil, err
	}
	if created {
		return &paymentOutput{http.StatusCreated, p}, nil
	}
	return &paymentOutput{http.StatusOK, p}, nil
}

type balanceOutput struct{ Body sluice.Balances }

func getBalance(ctx context.Context, ses *control.Session, in *struct {
	WalletFilter
	Asset string `query:"asset" doc:"One asset, such as USD; a wallet that was never used is then shown as empty."`
}) (*balanceOutput, error) {
	out, err := ses.Balance(ctx, sluice.BalanceQuery{WalletOwner: in.owner(), Asset: in.Asset})
	if err != nil {
		return nil, err
	}
	return &balanceOutput{out}, nil
}

// FormatQuery chooses between JSON and a table.
type FormatQuery struct {
	Format string `query:"format" enum:"json,csv" doc:"json when it is left out."`
}

func (in FormatQuery) csv() bool { return in.Format == "csv" }

// eitherOutput is JSON, or a table as it is.
type eitherOutput struct {
	ContentType string `header:"Content-Type"`
	NextCursor  string `header:"Sluice-Next-Cursor"`
	Body        any
}

// usageBody is a report.
type usageBody struct {
	Items []sluice.UsageRow `json:"items"`
}

func tableOutput(table []byte, next string) *eitherOutput {
	return &eitherOutput{mediaCSV + "; charset=utf-8", next, table}
}

func getBilledUsage(ctx context.Context, ses *control.Session, in *struct {
	RecordsFilter
	FormatQuery
	GroupBy string `query:"group_by" doc:"Comma-separated: tenant, user, key, model, provider, route, outcome."`
	Bucket  string `query:"bucket" enum:"hour,day,month" doc:"Splits time, in UTC."`
}) (*eitherOutput, error) {
	q := sluice.BilledUsageQuery{UsageQuery: sluice.UsageQuery{RecordQuery: in.query()}, Bucket: in.Bucket}
	if in.GroupBy != "" {
		q.GroupBy = strings.Split(in.GroupBy, ",")
	}
	if in.csv() {
		table, err := ses.BilledUsageCSV(ctx, q)
		if err != nil {
			return nil, err
		}
		return tableOutput(table, ""), nil
	}
	rows, err := ses.BilledUsage(ctx, q)
	if err != nil {
		return nil, err
	}
	return &eitherOutput{ContentType: mediaJSON, Body: usageBody{append([]sluice.UsageRow{}, rows...)}}, nil
}

func listTransactions(ctx context.Context, ses *control.Session, in *struct {
	WalletFilter
	PageQuery
	FormatQuery
	Asset   string    `query:"asset" doc:"Keeps transfers in one asset."`
	Code    string    `query:"code" enum:"hold,charge,overage,late_settle,release,expire,top_up,grant,redemption,refund,repay,adjust"`
	Request string    `query:"request_id" doc:"Keeps the transfers of one request."`
	From    time.Time `query:"from" doc:"Inclusive, RFC 3339."`
	To      time.Time `query:"to" doc:"Exclusive, RFC 3339."`
}) (*eitherOutput, error) {
	q := sluice.StatementQuery{WalletOwner: in.owner(), Asset: in.Asset, Code: sluice.TransferCode(in.Code), From: in.From, To: in.To, Cursor: in.Cursor, Limit: in.Limit}
	if in.Request != "" {
		id, err := sluice.ParseRequestID(in.Request)
		if err != nil {
			return nil, sluice.AsError(err).At("request_id")
		}
		q.Request = id
	}
	if in.csv() {
		table, next, err := ses.TransactionsCSV(ctx, q)
		if err != nil {
			return nil, err
		}
		return tableOutput(table, next), nil
	}
	page, err := ses.Transactions(ctx, q)
	if err != nil {
		return nil, err
	}
	return &eitherOutput{ContentType: mediaJSON, Body: page}, nil
}

func listGrants(ctx context.Context, ses *control.Session, in *struct {
	WalletFilter
	PageQuery
}) (*pageOutput[sluice.Payment], error) {
	return paymentsPage(ses.Payments(ctx, sluice.PaymentQuery{WalletOwner: in.owner(), Kind: sluice.PaymentGrant, Cursor: in.Cursor, Limit: in.Limit}))
}

func listPayments(ctx context.Context, ses *control.Session, in *struct {
	WalletFilter
	PageQuery
	Kind string `query:"kind" enum:"top_up,grant,redemption,refund,adjust"`
}) (*pageOutput[sluice.Payment], error) {
	return paymentsPage(ses.Payments(ctx, sluice.PaymentQuery{WalletOwner: in.owner(), Kind: sluice.PaymentKind(in.Kind), Cursor: in.Cursor, Limit: in.Limit}))
}

func paymentsPage(page sluice.Page[sluice.Payment], err error) (*pageOutput[sluice.Payment], error) {
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.Payment]{page}, nil
}
