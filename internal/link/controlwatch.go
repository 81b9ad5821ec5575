package link

import (
	"context"
	"log/slog"
	"sync"

	"github.com/sluicegate/sluice"
)

// ControlWatch passes a gateway's status on to control and remembers whether
// control refuses this gateway, as it does for a wrong plane token: records then
// wait for good, which the gateway has to say of itself. It is safe for concurrent
// use.
type ControlWatch struct {
	next sluice.StatusSink
	log  *slog.Logger

	mu     sync.Mutex
	reason string
}

var _ sluice.StatusSink = (*ControlWatch)(nil)

// NewControlWatch watches what next answers; log nil means slog.Default.
func NewControlWatch(next sluice.StatusSink, log *slog.Logger) *ControlWatch {
	if log == nil {
		log = slog.Default()
	}
	return &ControlWatch{next: next, log: log}
}

// Report implements [sluice.StatusSink]. A refusal and its end are logged once.
func (w *ControlWatch) Report(ctx context.Context, s sluice.GatewayStatus) error {
	err := w.next.Report(ctx, s)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch sluice.CodeOf(err) {
	case "":
		if w.reason != "" {
			w.log.Info("control takes this gateway's reports again")
		}
		w.reason = ""
	case sluice.CodeUnauthorized:
		if w.reason == "" {
			w.log.Error("control refuses this gateway: its records and reports wait", "error", err)
		}
		w.reason = "control refuses this gateway, so that its records wait: " + sluice.AsError(err).Message
	}
	return err // who cannot be reached refuses nobody: what was known stays
}

// Reason says why control refuses this gateway, "" when it does not.
func (w *ControlWatch) Reason() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}

// Annotate returns a sink that calls every status degraded while control refuses
// this gateway, before it passes it to next.
func (w *ControlWatch) Annotate(next sluice.StatusSink) sluice.StatusSink {
	return watchedStatus{w, next}
}

// watchedStatus is a sink with a watch's knowledge.
type watchedStatus struct {
	watch *ControlWatch
	next  sluice.StatusSink
}

// Report implements [sluice.StatusSink].
func (a watchedStatus) Report(ctx context.Context, s sluice.GatewayStatus) error {
	if reason := a.watch.Reason(); reason != "" {
		s.Health = HealthDegraded
		if s.Reason == "" {
			s.Reason = reason
		}
	}
	return a.next.Report(ctx, s)
}
