package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

// PoolConfig says how a [Pool] reaches targets.
type PoolConfig struct {
	// Dial connects; which addresses are allowed is its business. Required.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is the base of https calls (roots, client certificates); server name
	// and verification follow the call. nil is the system's defaults.
	TLS *tls.Config
	// MaxIdlePerHost bounds the connections kept per target; 128.
	MaxIdlePerHost int
	// IdleTime is how long an unused connection is kept; 60 s. Keep it below
	// what the targets do, so that few turn out stale.
	IdleTime time.Duration
	// Sweep is how often long deadlines are looked at; 1 s. Deadlines shorter
	// than ten of it are kept exactly.
	Sweep time.Duration
}

// Pool is the [sluice.Outbound] of the fast path: HTTP/1.1 over kept-alive
// connections, one exchange at a time on each, driven by the caller's
// goroutine. It is safe for concurrent use.
type Pool struct {
	cfg   PoolConfig
	sweep *sweeper
	bufs  leases

	mu     sync.Mutex
	hosts  map[hostKey]*host
	closed bool
}

// hostKey is what two calls must share to share connections.
type hostKey struct {
	scheme, addr, name string
	skipVerify         bool
}

// host is the idle connections of one target, the last used one last.
type host struct {
	idle []*upConn
	tls  *tls.Config
}

var _ sluice.Outbound = (*Pool)(nil)

// NewPool starts a pool's service goroutine (deadlines), which Close stops.
func NewPool(cfg PoolConfig) *Pool {
	cfg.MaxIdlePerHost = positive(cfg.MaxIdlePerHost, 128)
	cfg.IdleTime = positive(cfg.IdleTime, 60*time.Second)
	return &Pool{cfg: cfg, sweep: newSweeper(positive(cfg.Sweep, time.Second)), hosts: make(map[hostKey]*host)}
}

// Close closes every connection, those in use too, and stops the pool's
// goroutine. Do fails from then on.
func (p *Pool) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.hosts = nil
	p.mu.Unlock()
	for _, x := range p.sweep.list(nil) {
		x.(*upConn).raw.Close()
	}
	if first {
		p.sweep.close()
	}
}

// Conns returns how many connections are open, idle ones included.
func (p *Pool) Conns() int { return p.sweep.count() }

// CloseIdle closes the connections that serve nothing now.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	hosts := p.hosts
	if !p.closed {
		p.hosts = make(map[hostKey]*host)
	}
	p.mu.Unlock()
	for _, h := range hosts {
		for _, c := range h.idle {
			c.discard()
		}
	}
}

// Do implements [sluice.Outbound]. A replayable call that met a stale
// connection is sent once more on a new one.
func (p *Pool) Do(call *sluice.Call) (sluice.Stream, error) {
	if err := checkCall(call); err != nil {
		return nil, err
	}
	key := hostKey{call.Scheme, call.Addr, call.ServerName, call.TLSSkipVerify}
	s := &stream{}
	call.Stopper().Bind(s.stop)
	c := p.take(key)
	for {
		if c == nil {
			var err error
			if c, err = p.dial(key, call, s); err != nil {
				call.Stopper().Bind(nil)
				return nil, s.verdict(err)
			}
		}
		if err := s.ready(call, c); err != nil {
			p.put(c) // nothing was written: it serves the next call
			call.Stopper().Bind(nil)
			return nil, err
		}
		err := c.exchange(call)
		if err == nil {
			s.call = call
			return s, nil
		}
		stale := c.reused && !c.received && c.cut && call.Replayable && call.Stream == nil
		if !s.detach() {
			stale = false
		}
		c.discard()
		if !stale {
			call.Stopper().Bind(nil)
			return nil, s.verdict(err)
		}
		c = nil
	}
}

// take returns an idle connection that is still alive, nil when there is none.
func (p *Pool) take(key hostKey) *upConn {
	for {
		c := p.pop(key)
		if c == nil {
			return nil
		}
		if c.alarm.clear() && c.quiet() {
			c.reused = true
			return c
		}
		c.discard()
	}
}

func (p *Pool) pop(key hostKey) *upConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[key]
	if h == nil || len(h.idle) == 0 {
		return nil
	}
	last := len(h.idle) - 1
	c := h.idle[last]
	h.idle[last] = nil
	h.idle = h.idle[:last]
	return c
}

// put keeps a connection for the next call, or closes it when there are enough.
func (p *Pool) put(c *upConn) {
	p.sweep.set(&c.alarm, p.cfg.IdleTime)
	p.mu.Lock()
	h := p.hosts[c.key]
	keep := !p.closed && h != nil && len(h.idle) < p.cfg.MaxIdlePerHost
	if keep {
		h.idle = append(h.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.discard()
	}
}

// drop takes an idle connection out whose time is over.
func (p *Pool) drop(c *upConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[c.key]
	if h == nil {
		return false
	}
	for i, x := range h.idle {
		if x == c {
			h.idle = append(h.idle[:i], h.idle[i+1:]...)
			if len(h.idle) == 0 {
				delete(p.hosts, c.key)
			}
			return true
		}
	}
	return false
}

// dial connects for one call; s lets the call be stopped meanwhile.
func (p *Pool) dial(key hostKey, call *sluice.Call, s *stream) (*upConn, error) {
	ctx, cancel := context.Background(), context.CancelFunc(nil)
	if call.Connect > 0 {
		ctx, cancel = context.WithTimeout(ctx, call.Connect)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	if !s.dialing(cancel) {
		return nil, errStopped
	}
	raw, err := p.connect(ctx, call.Addr)
	if err != nil {
		return nil, dialError(ctx, err)
	}
	raw = direct(raw)
	c := &upConn{pool: p, raw: raw, nc: raw}
	config, err := p.host(key, c)
	if err == nil && config != nil {
		t := tls.Client(raw, config)
		c.nc = t
		err = t.HandshakeContext(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, dialError(ctx, err)
	}
	p.sweep.add(c)
	return c, nil
}

// connect dials on a stack of its own, which ends with it: dialling goes deep,
// and the caller's would keep what it grew by as long as its stream lasts.
func (p *Pool) connect(ctx context.Context, addr string) (nc net.Conn, err error) {
	done := make(chan struct{})
	go func() { // ends with the dial, which ctx bounds
		defer close(done)
		nc, err = p.cfg.Dial(ctx, "tcp", addr)
	}()
	<-done
	return nc, err
}

// dialError keeps codes that the dialer gave, a refused address for instance.
func dialError(ctx context.Context, err error) error {
	var coded *sluice.Error
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errConnectTime.Because(err)
	}
	return errUnreachable.Because(err)
}

// host gives a new connection the key of its target and returns the target's
// TLS configuration, nil for plain http.
func (p *Pool) host(key hostKey, c *upConn) (*tls.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errPoolClosed
	}
	h := p.hosts[key]
	if h == nil {
		h = &host{}
		key = hostKey{strings.Clone(key.scheme), strings.Clone(key.addr), strings.Clone(key.name), key.skipVerify}
		if key.scheme == "https" {
			h.tls = p.tlsConfig(key)
		}
		p.hosts[key] = h
	}
	c.key = key
	return h.tls, nil
}

func (p *Pool) tlsConfig(key hostKey) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if p.cfg.TLS != nil {
		config = p.cfg.TLS.Clone()
	}
	config.ServerName = key.name
	if config.ServerName == "" {
		config.ServerName = key.addr
		if host, _, err := net.SplitHostPort(key.addr); err == nil {
			config.ServerName = host
		}
	}
	config.InsecureSkipVerify = key.skipVerify
	config.NextProtos = []string{"http/1.1"}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(16)
	}
	return config
}

// checkCall refuses what would be read differently on the other side.
func checkCall(call *sluice.Call) error {
	if !tokenBytes.all(call.Method) || call.Method == "CONNECT" || call.Host != "" && !validHost(call.Host) ||
		!validTarget(call.Target) || call.Target[0] != '/' && call.Target != "*" {
		return errCallHead
	}
	for i := range call.Fields.Len() {
		if f := call.Fields.At(i); !tokenBytes.all(f.Name) || !validValue(f.Value) {
			return errCallHead
		}
	}
	return nil
}
