package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/sluicegate/sluice"
)

// Append adds an entry to the audit log: it sets Seq, Time and the hashes. It
// belongs in the transaction that makes the change.
func (tx *Tx) Append(e *sluice.AuditEntry) error {
	var last int64
	err := tx.row(`SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`, nil, &last, &e.PrevHash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	e.Seq, e.Time = uint64(last)+1, tx.now
	// The hash is that of what will be stored; see clean.
	for _, s := range []*string{&e.Tenant, &e.Actor, &e.Action, &e.Object, &e.RequestID, &e.IP} {
		*s = cleanText(*s)
	}
	if e.Hash, err = hashEntry(e); err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO audit (seq, time, tenant, actor, action, kind, object, object_id, diff, request_id, ip, prev_hash, hash)
		VALUES (`+placeholders(1, 13)+`)`, int64(e.Seq), micros(e.Time), e.Tenant, e.Actor, e.Action, string(e.Kind), e.Object,
		int64(e.ObjectID), string(e.Diff), e.RequestID, e.IP, e.PrevHash, e.Hash)
	return err
}

// hashEntry returns the hex SHA-256 over every field but Hash itself; a JSON
// array keeps the fields apart.
func hashEntry(e *sluice.AuditEntry) (string, error) {
	b, err := json.Marshal([]any{"sluice-audit-v1", e.Seq, micros(e.Time), e.Tenant, e.Actor, e.Action, e.Kind, e.Object,
		e.ObjectID, string(e.Diff), e.RequestID, e.IP, e.PrevHash})
	if err != nil {
		return "", fmt.Errorf("hash audit entry %d: %w", e.Seq, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

const auditColumns = `seq, time, tenant, actor, action, kind, object, object_id, diff, request_id, ip, prev_hash, hash`

func scanAudit(rows *sql.Rows) (sluice.AuditEntry, error) {
	var e sluice.AuditEntry
	var seq, at, id int64
	var diff string
	err := rows.Scan(&seq, &at, &e.Tenant, &e.Actor, &e.Action, &e.Kind, &e.Object, &id, &diff, &e.RequestID, &e.IP, &e.PrevHash, &e.Hash)
	e.Seq, e.Time, e.ObjectID = uint64(seq), fromMicros(at), uint64(id)
	if diff != "" {
		e.Diff = json.RawMessage(diff)
	}
	return e, err
}

// Audit returns entries, newest first, and the cursor of the next page. An
// empty q.Tenant selects every tenant.
func (db *DB) Audit(ctx context.Context, q sluice.AuditQuery) (sluice.Page[sluice.AuditEntry], error) {
	w := where{}
	w.addIf("tenant", q.Tenant)
	w.addIf("actor", q.Actor)
	w.addIf("action", q.Action)
	w.addIf("kind", string(q.Kind))
	w.addIf("object", q.Object)
	w.addTimes(q.From, q.To)
	if q.Cursor != "" {
		before, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil || before < 0 {
			return sluice.Page[sluice.AuditEntry]{}, badCursor()
		}
		w.add(`seq < ?`, before)
	}
	size := pageSize(q.Limit)
	page := sluice.Page[sluice.AuditEntry]{Items: []sluice.AuditEntry{}}
	err := db.Read(ctx, func(tx *Tx) error {
		return tx.each(`SELECT `+auditColumns+` FROM audit`+w.sql()+` ORDER BY seq DESC`+limit(size+1), w.args, func(rows *sql.Rows) error {
			e, err := scanAudit(rows)
			page.Items = append(page.Items, e)
			return err
		})
	})
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = strconv.FormatUint(page.Items[size-1].Seq, 10)
	}
	return page, err
}

// VerifyAudit walks the chain from the first entry and returns how many hold.
// The first gap, changed entry or broken link is [sluice.CodeDatabase].
func (db *DB) VerifyAudit(ctx context.Context) (uint64, error) {
	var count uint64
	prev := ""
	check := func(e *sluice.AuditEntry) error {
		hash, err := hashEntry(e)
		if err != nil {
			return err
		}
		if e.Seq != count+1 || e.PrevHash != prev || e.Hash != hash {
			return sluice.Errorf(sluice.CodeDatabase, "the audit log is broken at entry %d", count+1)
		}
		count, prev = e.Seq, e.Hash
		return nil
	}
	err := db.Read(ctx, func(tx *Tx) error {
		for {
			before := count
			if err := tx.auditAfter(count, check); err != nil || count == before {
				return err
			}
		}
	})
	return count, err
}

// auditAfter calls check for the entries behind seq, up to a thousand: a log of
// years is not one statement.
func (tx *Tx) auditAfter(seq uint64, check func(*sluice.AuditEntry) error) error {
	query := `SELECT ` + auditColumns + ` FROM audit WHERE seq > $1 ORDER BY seq` + limit(maxBatch)
	return tx.each(query, []any{int64(seq)}, func(rows *sql.Rows) error {
		e, err := scanAudit(rows)
		if err != nil {
			return err
		}
		return check(&e)
	})
}
