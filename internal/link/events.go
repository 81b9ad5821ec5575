package link

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Where the planes meet.
const (
	EventsPath = "/internal/v1/events"
	StatusPath = "/internal/v1/status"
)

// Limits of events over HTTP.
const (
	// maxPost bounds the records of one post, and so one transaction.
	maxPost = maxBatch
	// postTries and postPause bound what Publish repeats by itself; its caller
	// goes on, with a queue of its own.
	postTries = 3
	postPause = 50 * time.Millisecond
)

// eventsBatch is the body of a post, eventsApplied its answer.
type (
	eventsBatch struct {
		// From is the position before the batch.
		From    sluice.Position `json:"from"`
		Records []sluice.Record `json:"records"`
	}
	eventsApplied struct {
		Applied sluice.Position `json:"applied"`
	}
)

// EventsClient is the Events port of a gateway whose books are in another
// process. Records that cannot be delivered stay with the caller: a gateway
// keeps a bounded queue and counts what overflows. It is safe for concurrent
// use; batches are posted one after another.
type EventsClient struct {
	client planeClient

	mu      sync.Mutex
	applied sluice.Position

	rejected atomic.Uint64
}

var _ sluice.Events = (*EventsClient)(nil)

// NewEventsClient returns a client of the control plane at url. A token that
// [CheckPlaneToken] refuses is refused. client may be nil: then calls take at
// most 10 s.
func NewEventsClient(url, planeToken string, client *http.Client) (*EventsClient, error) {
	c, err := newPlaneClient(url, EventsPath, planeToken, client)
	return &EventsClient{client: c}, err
}

// Publish implements [sluice.Events]. A post whose answer was lost is repeated:
// the books know the ids. A record that control will never take, because it is
// too large, is counted by Rejected and passed over, so that it does not hold up
// the others for ever.
func (c *EventsClient) Publish(ctx context.Context, batch []sluice.Record) (sluice.Position, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for part := range slices.Chunk(batch, maxPost) {
		if err := c.deliver(ctx, part); err != nil {
			return c.applied, err
		}
	}
	return c.applied, nil
}

// Rejected counts records that control refused for what they are.
func (c *EventsClient) Rejected() uint64 { return c.rejected.Load() }

// deliver posts a part, halved as long as it is refused for its size or content.
func (c *EventsClient) deliver(ctx context.Context, part []sluice.Record) error {
	body, err := json.Marshal(eventsBatch{From: c.applied, Records: part})
	if err != nil {
		return fmt.Errorf("encode %d records: %w", len(part), err)
	}
	var out eventsApplied
	err = c.insist(ctx, body, &out)
	switch sluice.CodeOf(err) {
	case "":
		c.applied = out.Applied
		return nil
	case sluice.CodeTooLarge, sluice.CodeInvalidRequest:
		if len(part) == 1 {
			c.rejected.Add(1)
			return nil
		}
		half := len(part) / 2
		if err := c.deliver(ctx, part[:half]); err != nil {
			return err
		}
		return c.deliver(ctx, part[half:])
	}
	return err
}

// insist posts a few times with growing pauses.
func (c *EventsClient) insist(ctx context.Context, body []byte, into any) (err error) {
	pause := postPause
	for try := range postTries {
		if try > 0 && !rest(ctx, pause) {
			return err
		}
		pause *= 2
		if err = c.client.post(ctx, body, into); sluice.CodeOf(err) != sluice.CodeUnavailable {
			return err
		}
	}
	return err
}

// rest waits; it reports false when ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// EventsHandler serves [EventsPath]: it answers after events has applied the
// batch durably, with the position of the gateway that posted it. A token that
// [CheckPlaneToken] refuses is refused here, so that no process serves without
// one.
func EventsHandler(events sluice.Events, planeToken string) (http.Handler, error) {
	if err := CheckPlaneToken(planeToken); err != nil {
		return nil, err
	}
	return guarded(planeToken, func(w http.ResponseWriter, r *http.Request) {
		var batch eventsBatch
		err := readBody(w, r, &batch)
		if err == nil {
			err = checkBatch(batch.Records)
		}
		if err == nil {
			_, err = events.Publish(r.Context(), batch.Records)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		// The gateway posts one batch after another, so all before this one is
		// applied; counting here would forget at a restart and count lost answers
		// twice.
		answer(w, http.StatusOK, eventsApplied{batch.From + sluice.Position(len(batch.Records))})
	}), nil
}

// checkBatch refuses what could not be deduplicated or would block the books.
func checkBatch(list []sluice.Record) error {
	if len(list) > maxPost {
		return sluice.Errorf(sluice.CodeTooLarge, "a batch has at most %d records", maxPost)
	}
	for i := range list {
		if list[i].ID == "" || len(list[i].ID) > 128 {
			return sluice.Errorf(sluice.CodeInvalidRequest, "a record needs an id of at most 128 bytes").At(fmt.Sprintf("/records/%d/id", i))
		}
	}
	return nil
}

// StatusClient is the Status port of a gateway whose control is another process.
type StatusClient struct{ client planeClient }

var _ sluice.StatusSink = (*StatusClient)(nil)

// NewStatusClient returns a client of the control plane at url; arguments as for
// [NewEventsClient].
func NewStatusClient(url, planeToken string, client *http.Client) (*StatusClient, error) {
	c, err := newPlaneClient(url, StatusPath, planeToken, client)
	return &StatusClient{c}, err
}

// Report implements [sluice.StatusSink]. A lost report is not repeated: the next
// one says more.
func (c *StatusClient) Report(ctx context.Context, s sluice.GatewayStatus) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	return c.client.post(ctx, body, &struct{}{})
}

// StatusHandler serves [StatusPath] into sink; the token as for
// [EventsHandler].
func StatusHandler(sink sluice.StatusSink, planeToken string) (http.Handler, error) {
	if err := CheckPlaneToken(planeToken); err != nil {
		return nil, err
	}
	return guarded(planeToken, func(w http.ResponseWriter, r *http.Request) {
		var s sluice.GatewayStatus
		err := readBody(w, r, &s)
		if err == nil {
			err = sink.Report(r.Context(), s)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, struct{}{})
	}), nil
}
