package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
)

// AddEvents puts events into the outbox, in their order; Seq and At are given to
// them.
func (db *DB) AddEvents(ctx context.Context, events ...sluice.Event) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.AddEvents(events...) })
}

// AddEvents puts events into the outbox as part of a transaction.
func (tx *Tx) AddEvents(events ...sluice.Event) error {
	for _, e := range events {
		var known int64
		if err := tx.row(`SELECT COUNT(*) FROM events WHERE id = $1`, []any{e.ID}, &known); err != nil || known > 0 {
			if err != nil {
				return err
			}
			continue
		}
		seq, err := tx.next("events")
		if err != nil {
			return err
		}
		if _, err := tx.exec(`INSERT INTO events (seq, id, at, kind, subject, doc) VALUES ($1, $2, $3, $4, $5, $6)`,
			int64(seq), e.ID, micros(tx.now), e.Kind, e.Subject, string(e.Data)); err != nil {
			return fmt.Errorf("adding event %s: %w", e.ID, err)
		}
	}
	return nil
}

// EventQuery selects events of the outbox.
type EventQuery struct {
	// Kind keeps those of one kind.
	Kind string
	// Newest lists the newest first, before After; otherwise the oldest first,
	// behind After.
	Newest bool
	After  uint64
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
	more  bool // one beyond the page, which says that there is a next
}

// Events lists the outbox.
func (db *DB) Events(ctx context.Context, q EventQuery) (list []sluice.Event, err error) {
	w, order := where{}, ` ORDER BY seq`
	w.addIf("kind", q.Kind)
	if q.Newest {
		order += ` DESC`
		if q.After > 0 {
			w.add(`seq < ?`, int64(q.After))
		}
	} else {
		w.add(`seq > ?`, int64(q.After))
	}
	size := pageSize(q.Limit)
	if q.more {
		size++
	}
	list = []sluice.Event{}
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.each(`SELECT seq, id, at, kind, subject, doc FROM events`+w.sql()+order+limit(size), w.args, func(rows *sql.Rows) error {
			var e sluice.Event
			var seq, at int64
			var doc string
			if err := rows.Scan(&seq, &e.ID, &at, &e.Kind, &e.Subject, &doc); err != nil {
				return err
			}
			e.Seq, e.At, e.Data = uint64(seq), fromMicros(at), json.RawMessage(doc)
			list = append(list, e)
			return nil
		})
	})
	return list, err
}

// EventPage lists the outbox, newest first, and says where the next page begins.
func (db *DB) EventPage(ctx context.Context, q sluice.EventQuery) (page sluice.Page[sluice.Event], err error) {
	size, before := pageSize(q.Limit), uint64(0)
	if q.Cursor != "" {
		if before, err = strconv.ParseUint(q.Cursor, 10, 63); err != nil || before == 0 {
			return page, badCursor()
		}
	}
	page.Items, err = db.Events(ctx, EventQuery{Kind: q.Kind, Newest: true, After: before, Limit: size, more: true})
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = strconv.FormatUint(page.Items[size-1].Seq, 10)
	}
	return page, err
}

// DeleteEvents removes at most limit events from before the time, the oldest
// first, and returns how many it removed.
func (db *DB) DeleteEvents(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	return db.deleteOld(ctx, `DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < $1 ORDER BY seq LIMIT $2)`, before, limit)
}

// DeleteJournals forgets up to where journals are applied that nobody has shipped
// from since before the time: each process has one, and leaves it behind. What
// came again of one after all would be found among the transfers. It removes at
// most limit and returns how many it removed.
func (db *DB) DeleteJournals(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	return db.deleteOld(ctx, `DELETE FROM journals WHERE id IN (SELECT id FROM journals WHERE updated_at < $1 ORDER BY id LIMIT $2)`, before, limit)
}

// anomalyEvent renders an anomaly; its id is what it is about, so that a commit
// that is repeated tells of it once.
func anomalyEvent(journal string, seq uint64, request sluice.RequestID, reason string) (sluice.Event, error) {
	data, err := json.Marshal(map[string]any{"journal": journal, "seq": seq, "request_id": request, "reason": reason})
	id := sluice.NewTransferID(journal+" "+request.String()+" "+reason, "anomaly", int(seq))
	return sluice.Event{ID: id.String(), Kind: sluice.EventAnomaly, Subject: request.String(), Data: data}, err
}
