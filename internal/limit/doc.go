// Package limit holds the local rate, token and concurrency limiters: GCRA, its
// use as a token bucket with debt, and counted slots, kept for a bounded number
// of buckets. It decides only for its own process and knows nothing of keys,
// requests or errors: package link turns it into an Admission.
//
// Start at [Limiter].
package limit
