package gateway

import (
	"cmp"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// authenticate runs the authenticating plugins, decides whether the consumer may
// use the route at all, and continues with the chain of route and consumer.
func (e *exchange) authenticate() error {
	if err := e.chain.Auth(&e.x); err != nil || e.x.Reply() != nil {
		return err
	}
	if key := e.x.Consumer.Key; key != nil {
		if e.route.Tenant != sluice.PlatformTenant && e.route.Tenant != key.Tenant {
			// A tenant's own service is not for the keys of others.
			return sluice.Errorf(sluice.CodeForbidden, "this route belongs to another tenant")
		}
		e.consumer = lookup(e.st.groups, key.Tenant, cmp.Or(key.Group, sluice.DefaultGroup))
		if e.consumer != nil && !e.consumer.Admits(key.Tenant) {
			e.consumer = nil
		}
		if e.consumer != nil && e.consumer.problem != nil {
			return sluice.Errorf(sluice.CodeUnavailable, "the key's group is misconfigured").Because(e.consumer.problem)
		}
	}
	chain, err := e.route.chainFor(e.g, e.st, e.x.Consumer, e.consumer)
	if err != nil {
		return err
	}
	e.chain = chain
	return e.opErr
}

// gatheredBody is up to where a body that nobody reads is gathered all the same:
// it leaves with its head in one piece, and another target can get it too.
const gatheredBody = 8 << 10

// readAsk lets the surface read what the request asks for. It comes after
// authentication, so that strangers cannot make the gateway hold bodies.
func (e *exchange) readAsk() (err error) {
	var body []byte
	if e.surface.ReadsBody() && !e.op.Local {
		if body, err = e.x.Body(); err != nil {
			return err
		}
	} else if n := e.x.Request.ContentLength; n > e.route.MaxBodyBytes {
		return sluice.Errorf(sluice.CodeTooLarge, "the body has %d bytes, %d are allowed", n, e.route.MaxBodyBytes)
	} else if n > 0 && n <= gatheredBody {
		if body, err = e.x.Body(); err != nil {
			return err
		}
	}
	ask, err := e.surface.Ask(e.op, e.x.Request, body)
	if err != nil {
		return err
	}
	e.take(ask)
	return nil
}

// take makes an ask the one that is checked and sent.
func (e *exchange) take(ask *dialect.Ask) {
	ask.RequestID, ask.At = e.x.ID, e.x.Start
	e.ask, e.x.Model, e.x.Stream = ask, ask.Model, ask.Stream
}

// access runs the rest of the access phase. When a plugin replaced the body, it
// is read again: what is checked must be what is sent.
func (e *exchange) access() error {
	if err := e.chain.Access(&e.x); err != nil || e.x.Reply() != nil {
		return err
	}
	body, read := e.x.BodyRead()
	if !read || !e.surface.ReadsBody() || e.op.Local {
		e.ask.Body = body
		return nil
	}
	if same(body, e.ask.Body) {
		return nil
	}
	ask, err := e.surface.Ask(e.op, e.x.Request, body)
	if err != nil {
		return err
	}
	e.take(ask)
	return nil
}

// same reports whether two slices are the same memory.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
