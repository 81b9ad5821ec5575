package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// maxBatch bounds one transaction of records; larger batches take several.
const maxBatch = 1000

// recordColumns are written from a record in this order; doc is what has no
// column of its own.
var recordColumns = []string{
	"id", "time", "tenant", "user_name", "key_name", "model", "provider", "route", "outcome", "latency_ms", "ttft_ms",
	"input", "cached_input", "cache_write_5m", "cache_write_1h", "output", "reasoning", "audio_input", "audio_output", "image", "cost", "asset",
	"image_input", "images", "audio_seconds", "characters", "search_units", "doc",
}

// recordTexts are those of them that are texts.
var recordTexts = []string{"id", "tenant", "user_name", "key_name", "model", "provider", "route", "outcome", "asset", "doc"}

// recordWriter renders records; its memory serves one after the other.
type recordWriter struct {
	rest sluice.Record
	doc  bytes.Buffer
	json *json.Encoder
}

func newRecordWriter() *recordWriter {
	w := &recordWriter{}
	w.json = json.NewEncoder(&w.doc)
	return w
}

// values appends the columns of a record to args.
func (w *recordWriter) values(args []any, r *sluice.Record) ([]any, error) {
	w.rest = *r
	clearColumns(&w.rest)
	w.doc.Reset()
	if err := w.json.Encode(&w.rest); err != nil {
		return nil, fmt.Errorf("render record %s: %w", r.ID, err)
	}
	doc := w.doc.Bytes()
	u := &r.Usage
	return append(args,
		r.ID, micros(r.Time), r.Tenant, r.User, r.Key, r.Model, r.Provider, r.Route, string(r.Outcome), r.LatencyMS, r.TTFTMS,
		u.Input, u.CachedInput, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.AudioInput, u.AudioOutput, u.Image, int64(r.Cost.Amount), r.Cost.Asset,
		u.ImageInput, u.Images, u.AudioSeconds, u.Characters, u.SearchUnits, string(doc[:len(doc)-1]), // without the encoder's newline
	), nil
}

// clearColumns empties what has columns: a field that is added to records is in
// the document until it gets one.
func clearColumns(r *sluice.Record) {
	r.ID, r.Time, r.Tenant, r.User, r.Key, r.Model, r.Provider, r.Route, r.Outcome = "", time.Time{}, "", "", "", "", "", "", ""
	r.LatencyMS, r.TTFTMS, r.Usage, r.Cost = 0, 0, sluice.Usage{}, sluice.Money{}
}

// scanRecord reads a row of [recordColumns]. Documents of before schema 2 hold
// the whole record; the columns say the same.
func scanRecord(rows *sql.Rows) (r sluice.Record, err error) {
	var at int64
	var doc string
	var c sluice.Record
	u := &c.Usage
	err = rows.Scan(&c.ID, &at, &c.Tenant, &c.User, &c.Key, &c.Model, &c.Provider, &c.Route, &c.Outcome, &c.LatencyMS, &c.TTFTMS,
		&u.Input, &u.CachedInput, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning, &u.AudioInput, &u.AudioOutput, &u.Image, (*int64)(&c.Cost.Amount), &c.Cost.Asset,
		&u.ImageInput, &u.Images, &u.AudioSeconds, &u.Characters, &u.SearchUnits, &doc)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(doc), &r); err != nil {
		return r, fmt.Errorf("read record %s: %w", c.ID, err)
	}
	r.ID, r.Time, r.Tenant, r.User, r.Key, r.Model, r.Provider, r.Route, r.Outcome = c.ID, fromMicros(at), c.Tenant, c.User, c.Key, c.Model, c.Provider, c.Route, c.Outcome
	r.LatencyMS, r.TTFTMS, r.Usage, r.Cost = c.LatencyMS, c.TTFTMS, c.Usage, c.Cost
	return r, nil
}

// InsertRecords stores finished requests; those whose time and id are known
// already are left as they are. A batch of up to 1000 is stored whole or not at all.
func (db *DB) InsertRecords(ctx context.Context, records []sluice.Record) error {
	for len(records) > 0 {
		n := min(len(records), maxBatch)
		rows := recordRows(n, func(i int) *sluice.Record { return &records[i] })
		if err := db.add(ctx, func(tx *Tx) error { return tx.insertRecords(rows) }); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// recordRows are the rows of n records.
func recordRows(n int, record func(i int) *sluice.Record) rowSource {
	w := newRecordWriter()
	return rowSource{n, func(args []any, i int) ([]any, error) { return w.values(args, record(i)) }}
}

// insertRecords stores records that are not known.
func (tx *Tx) insertRecords(rows rowSource) error {
	_, err := tx.insertBulk("records", typed(recordColumns, recordTexts), rows, ` ON CONFLICT (time, id) DO NOTHING`)
	return err
}

// recorded reports whether a request has a record, whatever time in the
// millisecond of its id it has.
func (tx *Tx) recorded(id string) (bool, error) {
	parsed, err := sluice.ParseRequestID(id)
	if err != nil {
		return false, nil // it cannot be looked for
	}
	from := micros(parsed.Time())
	var n int64
	err = tx.row(`SELECT COUNT(*) FROM records WHERE time >= $1 AND time < $2 AND id = $3`, []any{from, from + time.Millisecond.Microseconds(), id}, &n)
	return n > 0, err
}

// Records returns finished requests, newest first. An empty q.Tenant selects
// every tenant.
func (db *DB) Records(ctx context.Context, q sluice.RecordQuery) (sluice.Page[sluice.Record], error) {
	page := sluice.Page[sluice.Record]{Items: []sluice.Record{}}
	w := recordsWhere(q)
	if q.Cursor != "" {
		at, id, err := parseRecordCursor(q.Cursor)
		if err != nil {
			return page, err
		}
		w.add(`(time < ? OR time = ? AND id < ?)`, at, at, id)
	}
	size := pageSize(q.Limit)
	err := db.Read(ctx, func(tx *Tx) error {
		return tx.each(`SELECT `+strings.Join(recordColumns, ", ")+` FROM records`+w.sql()+` ORDER BY time DESC, id DESC`+limit(size+1), w.args, func(rows *sql.Rows) error {
			r, err := scanRecord(rows)
			page.Items = append(page.Items, r)
			return err
		})
	})
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = recordCursor(&page.Items[size-1])
	}
	return page, err
}

// Record returns one finished request of any tenant, or [sluice.CodeNotFound]. An
// id that is no UUIDv7 is not looked for: records are found by the time in it.
func (db *DB) Record(ctx context.Context, id string) (r sluice.Record, err error) {
	parsed, err := sluice.ParseRequestID(id)
	if err != nil {
		return r, noRecord()
	}
	from := parsed.Time()
	w := where{}
	w.addTimes(from, from.Add(time.Millisecond))
	w.add(`id = ?`, id)
	found := false
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.each(`SELECT `+strings.Join(recordColumns, ", ")+` FROM records`+w.sql()+limit(1), w.args, func(rows *sql.Rows) (err error) {
			found = true
			r, err = scanRecord(rows)
			return err
		})
	})
	if err == nil && !found {
		return r, noRecord()
	}
	return r, err
}

func noRecord() error { return sluice.Errorf(sluice.CodeNotFound, "no such record") }

func recordsWhere(q sluice.RecordQuery) *where {
	w := &where{}
	w.addIf("tenant", q.Tenant)
	w.addIndexed("user_name", q.User)
	w.addIndexed("key_name", q.Key)
	w.addIf("model", q.Model)
	w.addIf("provider", q.Provider)
	w.addIf("route", q.Route)
	w.addIf("outcome", q.Outcome)
	w.addTimes(q.From, q.To)
	return w
}
