package app

import (
	"context"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/worker"
)

const (
	demoAsset = "USD"
	// demoGrant is what --dev gives the demo tenant, once for a database.
	demoGrant = sluice.Nanos(10 * sluice.NanosPerUnit)
)

// demoPrices are low, and above zero so that a newcomer sees what is charged.
func demoPrices() []sluice.Price {
	return []sluice.Price{
		{Model: demoChat, Asset: demoAsset, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 100_000_000, sluice.UnitOutput: 400_000_000}},
		{Model: demoEmbed, Asset: demoAsset, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 20_000_000}},
	}
}

// seedMoney prices the demo models, unless somebody did, and makes the demo
// tenant's grant.
func (c *controlRole) seedMoney(ctx context.Context) error {
	s := c.control.As(control.System())
	for _, p := range demoPrices() {
		page, err := s.Prices(ctx, sluice.PriceQuery{Model: p.Model})
		if err != nil {
			return err
		}
		if len(page.Items) > 0 {
			continue
		}
		if _, err := s.CreatePrice(ctx, p, false); err != nil {
			return err
		}
	}
	tenant, err := s.Tenants().Get(ctx, demoTenant, demoTenant)
	if err != nil {
		return err
	}
	return grantDemo(ctx, c.books, tenant)
}

// grantDemo makes the grant; its id has it happen once. While another process
// has the ledger it is that one's to make.
func grantDemo(ctx context.Context, books *worker.Books, tenant sluice.Tenant) error {
	if books.Book() == nil {
		return nil
	}
	wallet := sluice.TenantWallet(demoTenant, demoAsset)
	if err := books.Open(ctx, sluice.Account{ID: wallet, Asset: demoAsset, Floor: tenant.Floor(demoAsset)}); err != nil {
		return err
	}
	_, err := books.Transfer(ctx, sluice.Transfer{
		ID: sluice.NewTransferID("--dev", "grant", 0), Debit: sluice.HouseAccount(sluice.AccountPromotion, demoAsset), Credit: wallet,
		Amount: demoGrant, Kind: sluice.TransferSingle, Code: sluice.TransferGrant,
	})
	return err
}
