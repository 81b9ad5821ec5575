package gateway_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway/nethttp"
	"github.com/sluicegate/sluice/internal/netguard"
	"github.com/sluicegate/sluice/internal/wire"
)

// transport is one way to carry HTTP to the pipeline and from it. The suite runs
// over every one of them: what a gateway promises does not depend on it.
type transport struct {
	name     string
	server   func(limits, func(sluice.Inbound)) server
	outbound func() (out sluice.Outbound, stop func())
}

// server accepts requests from a listener until it is shut down or closed.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close()
}

// limits are what a test sets of a server's; zero takes the server's own.
type limits struct {
	head, bodyGrace, write time.Duration
	// relaxed looks at deadlines as rarely as in production.
	relaxed bool
}

// onEveryTransport runs a test once over each transport.
func onEveryTransport(t *testing.T, test func(*testing.T, transport)) {
	for _, over := range []transport{overWire, overNetHTTP} {
		t.Run(over.name, func(t *testing.T) { test(t, over) })
	}
}

// The size limits of the servers lie above the gateway's, so that the gateway's
// own refusals, which leave records, are what is tested.
const (
	roomyHead   = 32 << 10
	roomyURL    = 16 << 10
	roomyFields = 128
	// sweepEvery makes the deadlines of the wire exact enough for tests.
	sweepEvery = 10 * time.Millisecond
)

var overWire = transport{
	name: "wire",
	server: func(l limits, serve func(sluice.Inbound)) server {
		sweep := sweepEvery
		if l.relaxed {
			sweep = 0
		}
		return wire.NewServer(wire.Config{Handler: serve, Limits: wire.Limits{
			Head: roomyHead, URL: roomyURL, Fields: roomyFields,
			HeadTime: l.head, BodyGrace: l.bodyGrace, Frame: l.write, Sweep: sweep,
		}})
	},
	outbound: func() (sluice.Outbound, func()) {
		dialer := net.Dialer{Control: netguard.Platform.Control}
		pool := wire.NewPool(wire.PoolConfig{Dial: dialer.DialContext, Sweep: sweepEvery})
		return pool, pool.Close
	},
}

var overNetHTTP = transport{
	name: "nethttp",
	server: func(l limits, serve func(sluice.Inbound)) server {
		return netHTTPServer{nethttp.NewServer(nethttp.ServerConfig{
			HeadTimeout: l.head, BodyGrace: l.bodyGrace, WriteTimeout: l.write, Log: slog.New(slog.DiscardHandler),
		}, serve)}
	},
	outbound: func() (sluice.Outbound, func()) {
		out := nethttp.NewOutbound(nethttp.OutboundConfig{})
		return out, out.Close
	},
}

// netHTTPServer is an http.Server as a server.
type netHTTPServer struct{ *http.Server }

// Close implements server.
func (s netHTTPServer) Close() { _ = s.Server.Close() }
