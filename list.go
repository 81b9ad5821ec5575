package sluice

import "time"

// ListQuery selects a page of objects.
type ListQuery struct {
	// Tenant limits the list to one tenant; empty means the caller's own, "*"
	// every tenant the caller may see.
	Tenant string
	// Filter matches fields exactly by JSON name ("group": "vip"); every entry
	// must match. Fields that a kind does not offer are [CodeInvalidRequest].
	Filter map[string]string
	// Search keeps objects whose name or description contains it, without case.
	Search string
	// Cursor continues after the previous page; it is opaque.
	Cursor string
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
}

// Page is one page of a list, sorted by id.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the cursor of the following page, empty on the last one.
	Next string `json:"next,omitempty"`
}

// WriteOptions make a write conditional, repeatable or a trial. The zero value
// is a plain write.
type WriteOptions struct {
	// IfMatch is the version that the object must have, the number in its ETag;
	// otherwise [CodePrecondition]. 0 writes whatever the version.
	IfMatch uint64
	// AlsoMatch lists further versions that the object may have instead.
	AlsoMatch []uint64
	// IfExists lets Put replace only ("If-Match: *"): a missing object is
	// [CodePrecondition].
	IfExists bool
	// IfNoneMatch lets Put create only ("If-None-Match: *"): an existing object
	// is [CodePrecondition].
	IfNoneMatch bool
	// IdempotencyKey makes a create or rotate repeatable for 24 hours: the same
	// request answers what the first one did, without a token; another request
	// is [CodeIdempotency]. Empty means none; at most 255 bytes.
	IdempotencyKey string
	// DryRun does everything but keep the result.
	DryRun bool
}

// RecordQuery selects finished requests.
type RecordQuery struct {
	Tenant, User, Key, Model, Provider, Route, Outcome string
	// From (inclusive) and To (exclusive) bound the time; zero is open.
	From, To time.Time
	Cursor   string
	Limit    int
}

// UsageQuery aggregates finished requests.
type UsageQuery struct {
	RecordQuery
	// GroupBy lists the dimensions: tenant, user, key, model, provider, route,
	// outcome, hour or day.
	GroupBy []string
}

// UsageRow is one row of an aggregation.
type UsageRow struct {
	// Group holds the value of every dimension asked for.
	Group    map[string]string `json:"group"`
	Requests int64             `json:"requests"`
	Errors   int64             `json:"errors"`
	Usage    Usage             `json:"usage"`
	// Cost is the exact sum for each asset, by name of the asset; requests
	// without a cost add nothing.
	Cost []Money `json:"cost,omitempty"`
	// LatencyMS and TTFTMS are sums; divide by Requests for the mean.
	LatencyMS int64 `json:"latency_ms_sum"`
	TTFTMS    int64 `json:"ttft_ms_sum"`
}
