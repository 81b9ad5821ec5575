package gateway

import (
	"errors"
	"io"

	"github.com/sluicegate/sluice"
)

// drains reports whether a call goes on when its client hangs up: its provider
// bills it to its end anyway, so that the end is worth knowing.
func (e *exchange) drains(a *attempt) bool {
	p := a.target.account.Provider
	return e.money.held && p != nil && p.OnClientGone == sluice.GoneDrain
}

// drainRest reads what is left of an answer that could not be written because its
// client has gone, for the usage at its end. The sweep ends it when it takes too
// long.
func (e *exchange) drainRest(a *attempt, failed error) {
	if sluice.CodeOf(failed) != sluice.CodeClientGone || !e.drains(a) {
		return
	}
	e.flight.clientGone() // the write may have noticed first
	for e.flight.drainingNow() {
		b, err := a.stream.Next()
		if errors.Is(err, io.EOF) {
			_, err = a.leg.Finish()
		} else if err == nil {
			_, err = a.leg.Feed(b)
			if err == nil {
				err = e.progress(a)
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			e.g.cfg.Log.Debug("an answer without a client was not read to its end", "request", e.x.ID, "error", err)
		}
		return
	}
}
