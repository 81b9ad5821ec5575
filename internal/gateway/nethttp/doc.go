// Package nethttp adapts net/http to the two sides of the gateway's pipeline: a
// [Handler] turns each request into a [sluice.Inbound], and an [Outbound] sends
// calls through an [http.Transport]. It serves HTTP/1.1 and HTTP/2 and knows
// nothing of routes, plugins or dialects.
package nethttp
