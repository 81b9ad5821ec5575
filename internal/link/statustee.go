package link

import (
	"context"
	"errors"

	"github.com/sluicegate/sluice"
)

// StatusTee reports to several sinks: a gateway tells control over HTTP and
// acknowledges in Redis.
type StatusTee []sluice.StatusSink

var _ sluice.StatusSink = StatusTee(nil)

// Report implements [sluice.StatusSink]: every sink gets the status, whatever
// the others answer.
func (t StatusTee) Report(ctx context.Context, s sluice.GatewayStatus) error {
	var all error
	for _, sink := range t {
		all = errors.Join(all, sink.Report(ctx, s))
	}
	return all
}
