package controlsuite

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/control"
)

// Collection is what control.Collection and client.Collection have in common:
// everything.
type Collection[T any] interface {
	Create(ctx context.Context, obj T, opts sluice.WriteOptions) (T, error)
	Get(ctx context.Context, tenant, ref string) (T, error)
	List(ctx context.Context, q sluice.ListQuery) (sluice.Page[T], error)
	Put(ctx context.Context, tenant, name string, obj T, opts sluice.WriteOptions) (T, bool, error)
	Patch(ctx context.Context, tenant, ref string, patch json.RawMessage, opts sluice.WriteOptions) (T, error)
	Delete(ctx context.Context, tenant, ref string, opts sluice.WriteOptions) error
}

// Operations are the methods of a session beyond its collections.
type Operations interface {
	RotateKey(ctx context.Context, tenant, ref string, grace time.Duration, opts sluice.WriteOptions) (sluice.Key, error)
	Records(ctx context.Context, q sluice.RecordQuery) (sluice.Page[sluice.Record], error)
	Usage(ctx context.Context, q sluice.UsageQuery) ([]sluice.UsageRow, error)
	Audit(ctx context.Context, q sluice.AuditQuery) (sluice.Page[sluice.AuditEntry], error)
	VerifyAudit(ctx context.Context) (uint64, error)
	Sync(ctx context.Context) (uint64, error)
	Catalog(ctx context.Context, q sluice.CatalogQuery) (sluice.Page[sluice.CatalogEntry], error)
	CatalogEntry(ctx context.Context, name string) (sluice.CatalogEntry, error)
	Prices(ctx context.Context, q sluice.PriceQuery) (sluice.Page[sluice.Price], error)
	Price(ctx context.Context, version uint64) (sluice.Price, error)
	CreatePrice(ctx context.Context, p sluice.Price, dryRun bool) (sluice.Price, error)
	ImportPrices(ctx context.Context, format sluice.PriceFormat, file []byte, dryRun bool) ([]sluice.Price, error)
	ExportPrices(ctx context.Context, q sluice.PriceQuery, format sluice.PriceFormat) ([]byte, error)
	LoadPrices(ctx context.Context, load sluice.CatalogLoad, dryRun bool) ([]sluice.Price, error)
	RecordCost(ctx context.Context, id string) (sluice.RecordCost, error)
	Balance(ctx context.Context, q sluice.BalanceQuery) (sluice.Balances, error)
	BilledUsage(ctx context.Context, q sluice.BilledUsageQuery) ([]sluice.UsageRow, error)
	BilledUsageCSV(ctx context.Context, q sluice.BilledUsageQuery) ([]byte, error)
	Transactions(ctx context.Context, q sluice.StatementQuery) (sluice.Page[sluice.StatementLine], error)
	Payments(ctx context.Context, q sluice.PaymentQuery) (sluice.Page[sluice.Payment], error)
	TopUp(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (sluice.Payment, bool, error)
	Grant(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (sluice.Payment, bool, error)
	Refund(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (sluice.Payment, bool, error)
	Adjust(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (sluice.Payment, bool, error)
	CreateCodes(ctx context.Context, order sluice.CodeOrder, opts sluice.WriteOptions) ([]sluice.RedemptionCode, error)
	Codes(ctx context.Context, q sluice.CodeQuery) (sluice.Page[sluice.RedemptionCode], error)
	RevokeCode(ctx context.Context, id uint64) (sluice.RedemptionCode, error)
	Redeem(ctx context.Context, code, wallet string, opts sluice.WriteOptions) (sluice.Payment, error)
	LoadCatalog(ctx context.Context, tenant string, load sluice.CatalogLoad, dryRun bool) ([]sluice.CatalogResult, error)
}

// Face is one way to the control plane: in the process, or over the network.
type Face struct {
	Operations
	Tenants   Collection[sluice.Tenant]
	Users     Collection[sluice.User]
	Roles     Collection[sluice.Role]
	Keys      Collection[sluice.Key]
	Groups    Collection[sluice.Group]
	Providers Collection[sluice.Provider]
	Models    Collection[sluice.Model]
	Routes    Collection[sluice.Route]
	Upstreams Collection[sluice.Upstream]
}

// Direct is the face of a session in the process.
func Direct(s *control.Session) Face {
	return Face{s, s.Tenants(), s.Users(), s.Roles(), s.Keys(), s.Groups(), s.Providers(), s.Models(), s.Routes(), s.Upstreams()}
}

// Remote is the face of a client.
func Remote(c *client.Client) Face {
	return Face{c, c.Tenants(), c.Users(), c.Roles(), c.Keys(), c.Groups(), c.Providers(), c.Models(), c.Routes(), c.Upstreams()}
}
