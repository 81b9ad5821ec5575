// Package price says what a request costs: it finds the price version that
// holds for a model, a tenant and a moment, and multiplies quantities by it. It
// is pure, refuses to know accounts and balances, and uses no floats: amounts
// are int64 nano-units, products are kept in 128 bits, and each request is
// rounded exactly once, half up, at one nano.
//
// A caller admits a request with [Book.At] and [Version.Estimate], keeps the
// [sluice.PriceRef] with the hold, and charges the end with [Book.Version] and
// [Version.Charge]: whatever is published meanwhile, the request is charged by
// the version that it was admitted under.
package price
