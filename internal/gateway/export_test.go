package gateway

import "time"

// Impatient has requests wait for the journal's disk no longer than limit; before
// the first of them.
func (g *Gateway) Impatient(limit time.Duration) { g.patience = newPatience(limit) }
