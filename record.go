package sluice

import "time"

// Outcome says how a request ended.
type Outcome string

// The outcomes.
const (
	OutcomeComplete     Outcome = "complete"      // the whole answer was delivered
	OutcomeRefused      Outcome = "refused"       // refused before any target was called
	OutcomeError        Outcome = "error"         // no target gave an answer; an error was delivered
	OutcomeIncomplete   Outcome = "incomplete"    // the target broke off after content
	OutcomeClientGone   Outcome = "client_gone"   // the client hung up first
	OutcomeTimeout      Outcome = "timeout"       // a time limit ended it
	OutcomeInternal     Outcome = "internal"      // a fault of our own; the request was still accounted
	OutcomeShuttingDown Outcome = "shutting_down" // ended by the drain deadline
)

// Attempt is one call to one target within a request.
type Attempt struct {
	// Target names the provider or the node (host:port); never a credential.
	Target string `json:"target"`
	// Status is the target's HTTP status, 0 when none arrived.
	Status int `json:"status,omitempty"`
	// Code is set when the attempt failed.
	Code      Code  `json:"code,omitempty"`
	LatencyMS int64 `json:"latency_ms"`
}

// PluginTrace is what one plugin did in one phase of a request.
type PluginTrace struct {
	Plugin string `json:"plugin"`
	Phase  string `json:"phase"`
	// Decision is "" (went on), "skipped", "responded", or the code it refused
	// with.
	Decision string `json:"decision,omitempty"`
	Micros   int64  `json:"us"`
}

// Record is one finished request, written in every ending. It holds no body
// and no credential.
type Record struct {
	// ID is the request id, a UUIDv7; records are deduplicated by it.
	ID string `json:"id"`
	// Time is when the request arrived.
	Time    time.Time `json:"time"`
	Gateway string    `json:"gateway,omitempty"`
	Tenant  string    `json:"tenant,omitempty"`
	User    string    `json:"user,omitempty"`
	Key     string    `json:"key,omitempty"`
	KeyID   uint64    `json:"key_id,omitempty"`
	Group   string    `json:"group,omitempty"`
	Route   string    `json:"route,omitempty"`
	// Upstream is the upstream of a plain route.
	Upstream  string `json:"upstream,omitempty"`
	Surface   string `json:"surface,omitempty"`
	Operation string `json:"operation,omitempty"`
	Model     string `json:"model,omitempty"`
	// Provider is the one that answered, and ProviderModel its own model name.
	Provider      string `json:"provider,omitempty"`
	ProviderModel string `json:"provider_model,omitempty"`
	Method        string `json:"method"`
	Host          string `json:"host,omitempty"`
	// Path is the canonical path, without the query.
	Path     string  `json:"path"`
	ClientIP string  `json:"client_ip,omitempty"`
	Status   int     `json:"status"`
	Outcome  Outcome `json:"outcome"`
	// Code is the error that the client was shown, if any.
	Code        Code        `json:"code,omitempty"`
	Stream      bool        `json:"stream,omitempty"`
	Usage       Usage       `json:"usage"`
	UsageSource UsageSource `json:"usage_source,omitempty"`
	LatencyMS   int64       `json:"latency_ms"`
	TTFTMS      int64       `json:"ttft_ms,omitempty"`
	BytesIn     int64       `json:"bytes_in"`
	BytesOut    int64       `json:"bytes_out"`
	// Price is what the request is priced by, fixed when it was admitted; zero
	// for what has no price, such as a plain route.
	Price PriceRef `json:"price,omitzero"`
	// Cost is what it is charged for by its ending; without an asset there is no
	// cost. A free request, or one whose ending is not charged, costs 0.
	Cost Money `json:"cost,omitzero"`
	// Unpriced says that a model was used without a price for it, or for a unit
	// of it: there should be a cost, and there is none.
	Unpriced bool          `json:"unpriced,omitempty"`
	Attempts []Attempt     `json:"attempts,omitempty"`
	Plugins  []PluginTrace `json:"plugins,omitempty"`
}
