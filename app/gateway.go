package app

import (
	"context"
	"fmt"
	"os"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/link"
)

// gatewayRole is the data plane of a process: the gateway, its ports and its two
// sides on the network. It knows no database.
type gatewayRole struct {
	*host
	gateway *gateway.Gateway
	ports   gatewayPorts
	front   front
}

// openGateway builds the gateway on its ports and its journal.
func openGateway(h *host, ports gatewayPorts, costs *costs) (*gatewayRole, error) {
	proxies, err := parseNetworks(h.TrustedProxies)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "SLUICE_TRUSTED_PROXIES: %v", err)
	}
	ports.loops = append(ports.loops, costs.loops()...)
	g := &gatewayRole{host: h, ports: ports}
	g.front = newFront()
	g.gateway, err = gateway.New(gateway.Config{
		Name: h.gatewayName(), Version: version(),
		Snapshots: ports.snapshots, Admission: ports.admission, Events: ports.events, Status: ports.status, Keys: ports.keys,
		Journal: costs.journal, Shipper: costs.shipper, Endings: h.endings(), Answers: ports.answers,
		Plugins: h.plugins, Dialects: builtin.Registry(nil), Keyring: h.keyring,
		Outbound: g.front.platform, TenantOutbound: g.front.tenant,
		Log: h.log, Metrics: h.metrics, TrustedProxies: proxies,
		Records: gateway.RecordConfig{Queue: h.LogQueue, Batch: h.LogBatchSize, Flush: h.flush()},
		Drain:   gateway.DrainConfig{PreStop: h.PreStop, Deadline: h.DrainDeadline},
	})
	if err != nil {
		return nil, err
	}
	return g, g.front.listenFor(&h.Config, g.gateway, h.log)
}

// gatewayName is the configured name, or the host's.
func (h *host) gatewayName() string {
	if h.GatewayName != "" {
		return h.GatewayName
	}
	if name, err := os.Hostname(); err == nil {
		return name
	}
	return "gateway"
}

// applyFirst waits for the first snapshot on the board and applies it.
func (g *gatewayRole) applyFirst(ctx context.Context, board *link.Board) error {
	first, err := board.Next(ctx, 0)
	if err != nil {
		return err
	}
	if err := g.gateway.Apply(first); err != nil {
		return fmt.Errorf("apply the first snapshot: %w", err)
	}
	return nil
}

// start follows the configuration until loops ends and lets clients in.
func (g *gatewayRole) start(loops context.Context) {
	// What the ports run outlives the gateway's loop, which settles and
	// reports through them at its end.
	ports, end := context.WithCancel(context.WithoutCancel(loops))
	for _, loop := range g.ports.loops {
		g.loops.Go(func() { loop(ports) })
	}
	g.loops.Go(func() {
		defer end()
		g.gateway.Run(loops)
	})
	g.loops.Go(func() { g.report("gateway", g.front.server.Serve(g.listeners["gateway"])) }) // ended by drain
}

// drain takes the gateway out of traffic and lets running requests end.
func (g *gatewayRole) drain() error {
	return g.front.drain(g.gateway, g.PreStop+g.DrainDeadline+closeDeadline)
}

// ready says whether clients can be served, and with what.
func (g *gatewayRole) ready() readiness {
	if g.ports.reader != nil {
		if r := g.ports.reader.ready(); r.refusing {
			return r
		}
	}
	if err := g.gateway.Ready(); err != nil {
		return notReady(err)
	}
	var r readiness
	if g.ports.reader != nil {
		r = g.ports.reader.ready()
	}
	if r.reason == "" && g.ports.watch != nil {
		r.reason = g.ports.watch.Reason()
	}
	return r
}
