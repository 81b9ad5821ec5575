package api

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// forward is the middleware of operations that need the ledger: another process
// may keep it. What changes nothing is answered here when that one is away, by
// what it has stored.
func (s *server) forward(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	done, err := s.Forward(w, r, s.clientIP(r))
	switch {
	case done:
	case err != nil && !safeMethod(r.Method):
		s.fail(w, r, err)
	default:
		next(ctx)
	}
}
