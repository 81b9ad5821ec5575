package link

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/sluicegate/sluice"
)

// maxBatch bounds one hand-over to the sink, so that one transaction stays
// short however large the published batch is.
const maxBatch = 1000

// Records keeps finished requests durably.
type Records interface {
	// InsertRecords stores the batch before it returns nil, all of it or
	// nothing. A record whose id is known is left as it is.
	InsertRecords(ctx context.Context, batch []sluice.Record) error
}

// Ingest is the Events port within one process: it writes through to the sink,
// so a position is durable when Publish returns. It is safe for concurrent use.
type Ingest struct {
	sink    Records
	applied atomic.Uint64
}

var _ sluice.Events = (*Ingest)(nil)

// NewIngest returns an Events that writes to sink.
func NewIngest(sink Records) *Ingest { return &Ingest{sink: sink} }

// Publish implements [sluice.Events]. When a part of a large batch was stored
// before the sink failed, publishing the whole again is right: the sink knows
// the ids.
func (i *Ingest) Publish(ctx context.Context, batch []sluice.Record) (sluice.Position, error) {
	for part := range slices.Chunk(batch, maxBatch) {
		if err := i.sink.InsertRecords(ctx, part); err != nil {
			return i.position(0), sluice.Errorf(sluice.CodeUnavailable, "records cannot be stored now").After(1).Because(err)
		}
	}
	return i.position(len(batch)), nil
}

// position counts n more records as applied. Only whole batches count, so that
// one which is published again counts once.
func (i *Ingest) position(n int) sluice.Position { return sluice.Position(i.applied.Add(uint64(n))) }
