package app

import (
	"context"
	"errors"
	"time"

	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/link"
)

// node is one process: a control plane, a gateway, or both joined by embedded
// ports. Its goroutines are started by start and ended by stop.
type node struct {
	*host
	control *controlRole // nil in `sluice gateway`
	gateway *gatewayRole // nil in `sluice control`
	costs   *costs       // nil in `sluice control`
	cancel  context.CancelFunc
}

// newNode opens what must be open and wires the planes; nothing runs yet.
func newNode(ctx context.Context, cfg nodeConfig) (_ *node, err error) {
	h, err := newHost(cfg)
	if err != nil {
		return nil, err
	}
	n := &node{host: h}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.close())
	}
	n.registerMetrics()
	return n, nil
}

// open builds the roles. In one process they share a board and the database;
// apart, only Redis and HTTP are between them.
func (n *node) open(ctx context.Context) (err error) {
	if err := n.checkRedis(ctx); err != nil {
		return err
	}
	if n.role.controls() {
		n.progress.step("control plane")
		if n.control, err = openControl(ctx, n.host); err != nil {
			return err
		}
	}
	if !n.role.serves() {
		return nil
	}
	n.progress.step("gateway")
	if err := n.openCosts(ctx); err != nil {
		return err
	}
	ports, err := n.ports()
	if err != nil {
		return err
	}
	n.gateway, err = openGateway(n.host, ports, n.costs)
	return err
}

// openCosts opens the journal. Books in the same process take what it has, before
// the first request if they can: until they have it, their balances are not those
// of all that was admitted, and spending with a limit waits.
func (n *node) openCosts(ctx context.Context) (err error) {
	n.progress.step("journal")
	books, err := n.books()
	if err != nil {
		return err
	}
	if n.costs, err = openCosts(n.host, books); err != nil || n.control == nil {
		return err
	}
	n.control.books.Follow(n.costs.ends)
	n.costs.ship(ctx)
	if n.control.books.Deciding() == nil {
		n.log.Warn("spending with a limit waits until this process has the ledger and its journal is booked")
	}
	return nil
}

// books are where the journal of this process goes.
func (n *node) books() (journal.Transport, error) {
	if n.control != nil {
		return n.control.keeper.Transport(n.control.books), nil
	}
	return link.NewJournalClient(n.ControlURL, n.PlaneToken, nil)
}

// ports connects the gateway to its control plane.
func (n *node) ports() (gatewayPorts, error) {
	if n.control == nil {
		return remotePorts(n.host)
	}
	p, err := embeddedPorts(n.host, link.NewIngest(n.control.store), n.control.board, n.control.statuses)
	p.admission = link.NewSpending(link.SpendingConfig{Limits: p.admission, Book: n.control.books.Deciding, Away: n.control.keeper.Holds(), TopUpURL: n.topUpURL(), Now: time.Now})
	p.answers = link.NewAnswers(n.answers(n.answerStore()))
	return p, err
}

// answerStore is where answers to requests with an Idempotency-Key are kept: in
// Redis, where there is one, because other gateways then look there, too.
func (n *node) answerStore() link.AnswerStore {
	if n.redis != nil {
		return link.NewRedisAnswers(n.redis, time.Now)
	}
	return n.control.store
}

// start lets control publish, and opens the doors; those of a process with both
// roles not before its gateway has the first snapshot.
func (n *node) start(ctx context.Context) error {
	if n.control != nil {
		if err := n.control.prepare(ctx); err != nil {
			return err
		}
	}
	if n.control != nil && n.gateway != nil {
		if err := n.gateway.applyFirst(ctx, n.control.board); err != nil {
			return err
		}
	}
	// The loops outlive ctx: they end in stop, after the drain.
	loops, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.serveHTTP("status", n.statusHandler())
	n.loops.Go(func() { n.settle(loops) })
	if n.control != nil {
		if err := n.control.start(loops, n.ready); err != nil {
			return err
		}
	}
	if n.gateway != nil {
		n.gateway.start(loops)
	}
	return nil
}

// ready says whether all roles can serve; the worst of them decides.
func (n *node) ready() readiness {
	var r readiness
	if n.gateway != nil {
		r = n.gateway.ready()
	}
	if n.control == nil || r.refusing {
		return r
	}
	if c := n.control.ready(); c.refusing || r.reason == "" {
		return c
	}
	return r
}

// stop drains the gateway, then ends control and the rest, then ships what is left
// of the journal and closes the store. It returns once everything has ended.
func (n *node) stop() error {
	var problems []error
	if n.cancel != nil {
		if n.gateway != nil {
			problems = append(problems, n.gateway.drain())
		}
		problems = append(problems, n.shutServers())
		n.cancel()
		n.loops.Wait()
	}
	closeAll(n.listeners)
	return errors.Join(append(problems, n.close())...)
}

// close releases what open opened.
func (n *node) close() error {
	var failures []error
	if n.control != nil {
		n.control.books.Hurry()
	}
	if n.costs != nil {
		failures = append(failures, n.costs.close())
	}
	if n.control != nil {
		failures = append(failures, n.control.close())
	}
	return errors.Join(append(failures, n.host.close())...)
}
