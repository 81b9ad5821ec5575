package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

const (
	trustedTenant = "demo" // of --dev
	trustedUser   = "demo"
	limitedTenant = "limited"
	limitedUser   = "limited"
	asset         = "USD"
	// credit is more than any run spends.
	credit = 100_000_000 * sluice.NanosPerUnit
)

// benchPrice is a price as models have it: 1 for a million tokens of input, 3 for
// as many of output.
func benchPrice(model string) sluice.Price {
	const perToken = sluice.Rate(1_000_000_000) // 1e-6, in 1e-15
	return sluice.Price{Model: model, Asset: asset, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: perToken, sluice.UnitOutput: 3 * perToken}}
}

// createKeys makes a tenant of either kind, and a key of each. The limits of
// requests and tokens are on, and too high to be reached.
func createKeys(ctx context.Context, c *client.Client) (k keys, err error) {
	terms := json.RawMessage(`{"spending":"postpaid","unlimited_credit":true,"durability":"fast"}`)
	if _, err := c.Tenants().Patch(ctx, sluice.PlatformTenant, trustedTenant, terms, sluice.WriteOptions{}); err != nil {
		return k, fmt.Errorf("terms of %s: %w", trustedTenant, err)
	}
	if _, err := c.Tenants().Create(ctx, sluice.Tenant{
		Meta: sluice.Meta{Name: limitedTenant}, Spending: sluice.SpendingPostpaid, CreditLimit: &sluice.Money{Amount: credit, Asset: asset},
		Durability: sluice.DurabilityStrict,
	}, sluice.WriteOptions{}); err != nil {
		return k, fmt.Errorf("tenant %s: %w", limitedTenant, err)
	}
	if _, err := c.Users().Create(ctx, sluice.User{Meta: sluice.Meta{Name: limitedUser, Tenant: limitedTenant}, Email: "limited@bench.test"}, sluice.WriteOptions{}); err != nil {
		return k, fmt.Errorf("user %s: %w", limitedUser, err)
	}
	if k.trusted, err = createKey(ctx, c, trustedTenant, trustedUser); err != nil {
		return k, err
	}
	k.limited, err = createKey(ctx, c, limitedTenant, limitedUser)
	return k, err
}

func createKey(ctx context.Context, c *client.Client, tenant, user string) (string, error) {
	key, err := c.Keys().Create(ctx, sluice.Key{
		Meta: sluice.Meta{Tenant: tenant}, User: user, RPM: new(int64(1_000_000_000)), TPM: new(int64(1_000_000_000_000)),
	}, sluice.WriteOptions{})
	if err != nil {
		return "", fmt.Errorf("key of %s: %w", tenant, err)
	}
	return key.Token, nil
}
