// Package gateway serves exchanges: it takes a request from a [sluice.Inbound],
// brings it through one pipeline, and leaves one record behind, however it ends.
//
//	capture -> match -> auth -> ask -> access* -> check -> admit
//	        -> attempt{ pick -> encode -> send -> decode }
//	        -> header_filter* -> body_filter* -> log* -> record
//
// Each phase has a file of its own. What a client speaks (a surface) and what a
// target speaks (a dialect) is data on the route, so plain services and LLM
// providers run through the same code. Everything is decided from an immutable
// snapshot in memory: there is no database here, and no name of a vendor.
//
// Start at [New], [Gateway.Serve] and [Gateway.Run]; gateway/nethttp adapts
// net/http to both sides.
package gateway
