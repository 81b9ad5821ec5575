package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/netguard"
	"github.com/sluicegate/sluice/internal/wire"
)

// front is the gateway's two sides on the network: the server that clients
// reach, and the pools by which it reaches targets.
type front struct {
	server           *wire.Server
	platform, tenant *wire.Pool
}

// newFront opens the side to targets.
func newFront() front {
	return front{platform: guardedPool(netguard.Platform), tenant: guardedPool(netguard.Tenant)}
}

// guardedPool connects only where the policy allows.
func guardedPool(policy netguard.Policy) *wire.Pool {
	dialer := net.Dialer{Control: policy.Control}
	return wire.NewPool(wire.PoolConfig{Dial: dialer.DialContext})
}

// listenFor prepares the side to clients.
func (f *front) listenFor(c *Config, g *gateway.Gateway, log *slog.Logger) (err error) {
	config := wire.Config{Handler: g.Serve, Logger: log}
	if config.TLS, err = gatewayTLS(c); err != nil {
		return err
	}
	f.server = wire.NewServer(config)
	return nil
}

// gatewayTLS loads the certificate that clients are shown, nil for plain HTTP.
func gatewayTLS(c *Config) (*tls.Config, error) {
	if c.GatewayTLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.GatewayTLSCert, c.GatewayTLSKey)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "SLUICE_GATEWAY_TLS_CERT and SLUICE_GATEWAY_TLS_KEY: %v", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}, nil
}

// drain takes the gateway out of traffic and lets running requests end within
// the deadline.
func (f *front) drain(g *gateway.Gateway, deadline time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	shut := make(chan error, 1)
	g.Drain(ctx, func() {
		go func() { shut <- f.server.Shutdown(ctx) }() // awaited below
	})
	err := <-shut
	f.platform.Close()
	f.tenant.Close()
	return err
}
