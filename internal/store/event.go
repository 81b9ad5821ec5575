package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluicegate/sluice"
)

// Event is an entry of the outbox: what operators and systems outside have to
// hear of.
type Event struct {
	// Seq is the order of events, from 1, without gaps.
	Seq uint64 `json:"seq"`
	// ID makes an event unique: one that is known already is not added again.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Kind is what happened, such as "ledger.anomaly"; Subject whom it concerns.
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
}

// AddEvents puts events into the outbox, in their order; Seq and At are given to
// them.
func (db *DB) AddEvents(ctx context.Context, events ...Event) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.AddEvents(events...) })
}

// AddEvents puts events into the outbox as part of a transaction.
func (tx *Tx) AddEvents(events ...Event) error {
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
}

// Events lists the outbox.
func (db *DB) Events(ctx context.Context, q EventQuery) (list []Event, err error) {
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
	list = []Event{}
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.each(`SELECT seq, id, at, kind, subject, doc FROM events`+w.sql()+order+limit(pageSize(q.Limit)), w.args, func(rows *sql.Rows) error {
			var e Event
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

// anomalyKind is what the ledger's anomalies are called in the outbox.
const anomalyKind = "ledger.anomaly"

// anomalyEvent renders an anomaly; its id is what it is about, so that a commit
// that is repeated tells of it once.
func anomalyEvent(journal string, seq uint64, request sluice.RequestID, reason string) (Event, error) {
	data, err := json.Marshal(map[string]any{"journal": journal, "seq": seq, "request_id": request, "reason": reason})
	id := sluice.NewTransferID(journal+" "+request.String()+" "+reason, "anomaly", int(seq))
	return Event{ID: id.String(), Kind: anomalyKind, Subject: request.String(), Data: data}, err
}
