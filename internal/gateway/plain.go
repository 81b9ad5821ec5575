package gateway

import (
	"sync"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// plainDialect carries HTTP to a node as it is. It makes a plain service look
// like any other target to the pipeline.
type plainDialect struct {
	upstream *sluice.Upstream
	addr     string
}

var _ dialect.Dialect = plainDialect{}

// Name implements [dialect.Dialect].
func (plainDialect) Name() string { return sluice.SurfaceHTTP }

// Check implements [dialect.Dialect]; nodes are checked by their upstream.
func (plainDialect) Check(*sluice.Provider) error { return nil }

// Open implements [dialect.Dialect].
func (d plainDialect) Open(ask *dialect.Ask, _ dialect.Account) (dialect.Leg, error) {
	l := plainLegs.Get().(*plainLeg)
	*l = plainLeg{plainDialect: d, ask: ask}
	return l, nil
}

// plainLegs are those that no exchange uses.
var plainLegs = sync.Pool{New: func() any { return new(plainLeg) }}

// Release implements [dialect.Releaser].
func (l *plainLeg) Release() {
	*l = plainLeg{}
	plainLegs.Put(l)
}

// plainLeg is one attempt at a node: bytes pass untouched.
type plainLeg struct {
	plainDialect
	ask *dialect.Ask
}

// Request implements [dialect.Leg].
func (l *plainLeg) Request(call *sluice.Call) error {
	h := l.ask.Head
	call.Scheme, call.Addr, call.TLSSkipVerify = l.upstream.Scheme, l.addr, l.upstream.TLSSkipVerify
	call.Method, call.Target = h.Method, l.ask.Operation.Path
	if h.RawQuery != "" {
		call.Target += "?" + h.RawQuery
	}
	switch l.upstream.PassHost {
	case "node":
		call.Host = l.addr
	case "rewrite":
		call.Host = l.upstream.UpstreamHost
	default:
		call.Host = h.Host
	}
	call.Fields.AppendAll(&h.Fields)
	if len(l.ask.Body) > 0 {
		call.Body = append(call.Body, l.ask.Body)
	}
	return nil
}

// Outbound implements [dialect.Leg]: the network.
func (*plainLeg) Outbound() sluice.Outbound { return nil }

// Failure implements [dialect.Leg]. Only a protocol switch gets here: every
// other status of a plain service is its answer.
func (*plainLeg) Failure(h *sluice.RespHead, _ []byte) *sluice.Error {
	return sluice.Errorf(sluice.CodeProviderError, "the upstream answered with status %d", h.Status)
}

// Begin implements [dialect.Leg]: the head passes, but for what belongs to the
// connection.
func (*plainLeg) Begin(h *sluice.RespHead, out *sluice.RespHead) error {
	out.Status, out.ContentLength = h.Status, h.ContentLength
	out.Fields.AppendAll(&h.Fields)
	stripNamed(&out.Fields)
	// Content-Length is what ContentLength states.
	out.Fields.DeleteFunc(func(f sluice.Field) bool { return isHop(f.Name) || isOurs(f.Name) })
	return nil
}

// Feed implements [dialect.Leg].
func (*plainLeg) Feed(b []byte) ([]byte, error) { return b, nil }

// Finish implements [dialect.Leg].
func (*plainLeg) Finish() ([]byte, error) { return nil, nil }

// Usage implements [dialect.Leg]: plain services consume no tokens.
func (*plainLeg) Usage() (sluice.Usage, sluice.UsageSource) { return sluice.Usage{}, sluice.UsageNone }
