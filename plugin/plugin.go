// Package plugin is the public contract of plugins: the exchange they see, the
// phases they run in, their typed configuration with its JSON Schema, the
// registry, and the compilation of configurations into one flat chain per
// phase. Gateway and control share it: what control accepts, a gateway runs.
//
// A plugin is a Go value made from its configuration by its [Spec] and shared
// by all requests of the routes that configure it so; whatever it keeps per
// request lives in [Exchange.Local]. Start at [Define] to write one and at
// plugin/plugintest to test it.
package plugin

import "github.com/sluicegate/sluice"

// Phase is a point of the pipeline where plugins run.
type Phase string

// The phases, in the order in which a request meets them.
const (
	PhaseAccess       Phase = "access"        // before any target is called
	PhaseHeaderFilter Phase = "header_filter" // the answer's head is known, nothing was sent
	PhaseBodyFilter   Phase = "body_filter"   // each piece of the answer's body
	PhaseLog          Phase = "log"           // the exchange has ended, in whatever way
)

// Plugin is a configured plugin: a value with one or more of [Accessor],
// [HeaderFilterer], [BodyFilterer] and [Logger]. Its methods are called
// concurrently for different exchanges, and from one goroutine for each.
type Plugin any

// Accessor runs in the access phase. An error ends the exchange and is shown to
// the client in the dialect of the route's surface; [Exchange.Respond] ends it
// with an answer of the plugin's own.
type Accessor interface {
	Access(x *Exchange) error
}

// HeaderFilterer sees and may change the answer's head before it leaves. It
// also runs on answers of the gateway and of plugins; see [Exchange.Origin].
type HeaderFilterer interface {
	HeaderFilter(x *Exchange) error
}

// BodyFilterer sees each piece of the answer's body and returns what to send in
// its place, nothing included. One that may change the length also is a
// [HeaderFilterer] and sets Response.ContentLength to -1; see also [Whole]. chunk is leased: valid during the call only,
// though it may be returned. last marks the final call, whose chunk may be
// empty. An error before the first byte left becomes an error answer; after
// it, it ends the stream with the surface's error event.
type BodyFilterer interface {
	BodyFilter(x *Exchange, chunk []byte, last bool) ([]byte, error)
}

// Logger runs once in every ending, panic and hang-up included, after the
// record was filled in. It must not block.
type Logger interface {
	Log(x *Exchange, r *sluice.Record)
}
