package link

import (
	"context"
	"errors"
	"sync"

	"github.com/sluicegate/sluice"
)

// StatusTee reports to several sinks: a gateway tells control over HTTP and
// acknowledges in Redis.
type StatusTee []sluice.StatusSink

var _ sluice.StatusSink = StatusTee(nil)

// Report implements [sluice.StatusSink]: every sink gets the status at once,
// whatever the others answer, and however long they take: a control plane that
// hangs must not make the gateway look dead in Redis.
func (t StatusTee) Report(ctx context.Context, s sluice.GatewayStatus) error {
	failures := make([]error, len(t))
	var reports sync.WaitGroup // each ends by ctx
	for i, sink := range t {
		reports.Go(func() { failures[i] = sink.Report(ctx, s) })
	}
	reports.Wait()
	return errors.Join(failures...)
}
