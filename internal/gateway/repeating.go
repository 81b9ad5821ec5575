package gateway

import (
	"sync"

	"github.com/sluicegate/sluice"
)

// repeating are the requests with an Idempotency-Key that this gateway is working
// on. Of equal ones at once the others are turned away here, before they hold
// money that the first of them needs; those that come to other gateways meet it
// in the authority's memory. It holds no more than there are requests in flight.
type repeating struct {
	mu   sync.Mutex
	keys map[keyOf]*repetition
}

// keyOf names an Idempotency-Key.
type keyOf struct{ scope, key string }

// begin notes that a request is worked on, unless another one under its key is:
// [sluice.CodeInProgress], or [sluice.CodeIdempotency] when it is not the same.
func (g *repeating) begin(r *repetition) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := keyOf{r.Scope, r.Key}
	if was := g.keys[name]; was != nil {
		if was.Hash != r.Hash {
			return sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another request").With("request_id", was.Request.String())
		}
		return sluice.Errorf(sluice.CodeInProgress, "request %s with this Idempotency-Key is in progress", was.Request).With("request_id", was.Request.String()).After(1)
	}
	if g.keys == nil {
		g.keys = map[keyOf]*repetition{}
	}
	g.keys[name] = r
	return nil
}

// end forgets a request. Once it is forgotten, another may be worked on under its
// key, which ending it again leaves alone.
func (g *repeating) end(r *repetition) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if name := (keyOf{r.Scope, r.Key}); g.keys[name] == r {
		delete(g.keys, name)
	}
}
