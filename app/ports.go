package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/link"
)

// gatewayPorts is what a gateway needs of the rest of Sluice.
type gatewayPorts struct {
	snapshots sluice.Snapshots
	admission sluice.Admission
	events    sluice.Events
	status    sluice.StatusSink
	// answers keeps what requests with an Idempotency-Key were answered: in the
	// database of this process, or in Redis for gateways of several.
	answers sluice.Answers
	// keys finds keys that snapshots leave out; nil when they hold all.
	keys sluice.KeySource
	// reader follows Redis; nil when the gateway has its snapshots from control
	// in the same process.
	reader *failClosed
	// watch knows whether control refuses this gateway; nil in the same process.
	watch *link.ControlWatch
	// loops are what the ports must run beside the gateway, each until its
	// context ends.
	loops []func(context.Context)
}

// embeddedPorts joins a gateway to control in the same process. Only limits go
// through Redis, when there is one: other gateways may share them.
func embeddedPorts(h *host, events sluice.Events, board *link.Board, statuses *link.StatusBoard) (gatewayPorts, error) {
	p := gatewayPorts{snapshots: board, events: events, status: statuses, admission: link.NewLocal(link.LocalConfig{Now: time.Now})}
	if h.redis == nil {
		return p, nil
	}
	return p, p.admitByRedis(h, nil)
}

// remotePorts joins a gateway to control in another process: configuration and
// limits over Redis, balances, records and status over HTTP.
func remotePorts(h *host) (p gatewayPorts, err error) {
	reader, err := link.NewRedisSnapshots(link.ReaderConfig{
		Redis: h.redis, Gateway: h.gatewayName(), Keyring: h.keyring, Log: h.log,
		LastGood: filepath.Join(h.DataDir, lastGoodName), MaxStale: h.MaxStale,
		MaxKeys: h.MaxKeys,
	})
	if err != nil {
		return p, err
	}
	p.reader = &failClosed{reader: reader, maxStale: h.MaxStale, log: h.log}
	p.keys = reader
	p.snapshots, p.loops = p.reader, []func(context.Context){reader.Run}
	if p.events, err = link.NewEventsClient(h.ControlURL, h.PlaneToken, nil); err != nil {
		return p, err
	}
	status, err := link.NewStatusClient(h.ControlURL, h.PlaneToken, nil)
	if err != nil {
		return p, err
	}
	p.watch = link.NewControlWatch(status, h.log)
	p.status = p.watch.Annotate(link.StatusTee{reader.Annotate(p.watch), reader})
	p.answers = link.NewAnswers(h.answers(link.NewRedisAnswers(h.redis, time.Now)))
	if err := p.admitByRedis(h, reader.Gateways); err != nil {
		return p, err
	}
	holds, err := link.NewHolds(h.ControlURL, h.PlaneToken)
	p.admission = link.NewSpending(link.SpendingConfig{
		Limits: p.admission, Book: func() *ledger.Book { return nil }, Away: holds, TopUpURL: h.topUpURL(), Now: time.Now,
	})
	return p, err
}

// lastGoodName is the file in a gateway's data folder.
const lastGoodName = "last-good.snap"

// settleQueue is how many requests may be over before Redis knows: what a busy
// gateway ends within a second.
const settleQueue = 20_000

// admitByRedis counts limits in Redis; gateways tells how many share them.
func (p *gatewayPorts) admitByRedis(h *host, gateways func() int) error {
	admission, err := link.NewRedisAdmission(link.RedisAdmissionConfig{
		Redis: h.redis, OnStoreError: link.OnStoreError(h.OnStoreError), Gateways: gateways, SettleQueue: settleQueue, Log: h.log,
	})
	if err != nil {
		return err
	}
	p.admission, p.loops = admission, append(p.loops, admission.Run)
	return nil
}
