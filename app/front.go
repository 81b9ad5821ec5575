package app

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/netguard"
	"github.com/sluicegate/sluice/internal/route"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/wire"
	"github.com/sluicegate/sluice/plugin"
)

// front is the gateway's two sides on the network: the server that clients
// reach, and the pools by which it reaches targets.
type front struct {
	server           *wire.Server
	platform, tenant *wire.Pool
}

// guardedPool connects only where the policy allows.
func guardedPool(policy netguard.Policy) *wire.Pool {
	dialer := net.Dialer{Control: policy.Control}
	return wire.NewPool(wire.PoolConfig{Dial: dialer.DialContext})
}

// openGateway builds the gateway on the embedded ports.
func (n *node) openGateway(keyring *seal.Keyring, registry *plugin.Registry) (err error) {
	proxies, err := parseNetworks(n.TrustedProxies)
	if err != nil {
		return sluice.Errorf(sluice.CodeConfig, "SLUICE_TRUSTED_PROXIES: %v", err)
	}
	n.front.platform, n.front.tenant = guardedPool(netguard.Platform), guardedPool(netguard.Tenant)
	n.gateway, err = gateway.New(gateway.Config{
		Name: n.gatewayName(), Version: version(),
		Snapshots: n.board, Admission: link.NewLocal(link.LocalConfig{Now: time.Now}), Events: link.NewIngest(n.store), Status: n.statuses,
		Plugins: registry, Dialects: builtin.Registry(nil), Keyring: keyring,
		Outbound: n.front.platform, TenantOutbound: n.front.tenant,
		Log: n.log, Metrics: n.metrics, TrustedProxies: proxies,
		Records: gateway.RecordConfig{Queue: n.LogQueue, Batch: n.LogBatchSize, Flush: time.Duration(n.LogFlushMS) * time.Millisecond},
		Drain:   gateway.DrainConfig{PreStop: n.PreStop, Deadline: n.DrainDeadline},
	})
	if err != nil {
		return err
	}
	config := wire.Config{Handler: n.gateway.Serve, CanonicalPath: route.CanonicalPath, Logger: n.log}
	if config.TLS, err = n.gatewayTLS(); err != nil {
		return err
	}
	n.front.server = wire.NewServer(config)
	return nil
}

// gatewayTLS loads the certificate that clients are shown, nil for plain HTTP.
func (n *node) gatewayTLS() (*tls.Config, error) {
	if n.GatewayTLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(n.GatewayTLSCert, n.GatewayTLSKey)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "SLUICE_GATEWAY_TLS_CERT and SLUICE_GATEWAY_TLS_KEY: %v", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}, nil
}

// serveFront lets clients in; the goroutine ends when drainFront shuts the
// server down.
func (n *node) serveFront() {
	n.loops.Go(func() { n.report("gateway", n.front.server.Serve(n.listeners["gateway"])) })
}

// drainFront takes the gateway out of traffic and lets running requests end
// within the drain deadline.
func (n *node) drainFront() error {
	ctx, cancel := context.WithTimeout(context.Background(), n.PreStop+n.DrainDeadline+closeDeadline)
	defer cancel()
	shut := make(chan error, 1)
	n.gateway.Drain(ctx, func() {
		go func() { shut <- n.front.server.Shutdown(ctx) }() // awaited below
	})
	err := <-shut
	n.front.platform.Close()
	n.front.tenant.Close()
	return err
}
