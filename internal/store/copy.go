package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// copied is a table and the columns that tell its rows apart, in the order in
// which they are read and compared.
type copied struct {
	table string
	key   []string
}

// copiedTables are all tables but goose's own.
var copiedTables = []copied{
	{"sequences", []string{"name"}},
	{"settings", []string{"name"}},
	{"tenants", []string{"id"}},
	{"roles", []string{"id"}},
	{"users", []string{"id"}},
	{"groups", []string{"id"}},
	{"providers", []string{"id"}},
	{"models", []string{"id"}},
	{"upstreams", []string{"id"}},
	{"routes", []string{"id"}},
	{"keys", []string{"id"}},
	{"reference", []string{"from_kind", "from_id", "field"}},
	{"sharing", []string{"kind", "id", "tenant"}},
	{"changes", []string{"revision"}},
	{"refresh_tokens", []string{"hash"}},
	{"sessions", []string{"hash"}},
	{"setup_tokens", []string{"hash"}},
	{"login_attempts", []string{"subject"}},
	{"idempotency", []string{"caller", "key"}},
	{"audit", []string{"seq"}},
	{"prices", []string{"version"}},
	{"payments", []string{"kind", "id"}},
	{"redemption_codes", []string{"id"}},
	{"accounts", []string{"number"}},
	{"transfers", []string{"seq"}},
	{"holds", []string{"id"}},
	{"journals", []string{"id"}},
	{"ledger_owner", []string{"name"}},
	{"events", []string{"seq"}},
	{"answers", []string{"scope", "key"}},
	{"answer_totals", []string{"scope"}},
	{"records", []string{"time", "id"}},
}

// The phases of [CopyProgress].
const (
	CopyWriting   = "copy"
	CopyVerifying = "verify"
)

// CopyProgress says how far [Copy] is.
type CopyProgress struct {
	// Phase is [CopyWriting] or [CopyVerifying].
	Phase string
	Table string
	// Rows of Total are done.
	Rows, Total int64
	// Digest is the SHA-256 over the hashes of the table's rows, in hex, once it
	// is verified; before that "".
	Digest string
}

// Copy moves everything that from keeps into to, whatever engines they have,
// and returns how many rows that were. It is all or nothing: the rows are
// written in one transaction, read back and compared with the source by count
// and by the hash of each row before it commits. A target that keeps anything
// is [sluice.CodeConfig], a difference [sluice.CodeDatabase]. progress is called
// after every thousand rows and at the end of each table and phase; nil is told
// nothing. Nothing else may write to from meanwhile, or it is not copied;
// secrets stay sealed, so that the target needs the same master key.
func Copy(ctx context.Context, from, to *DB, progress func(CopyProgress)) (rows int64, err error) {
	if progress == nil {
		progress = func(CopyProgress) {}
	}
	err = from.Read(ctx, func(src *Tx) error {
		if err := from.engine.unhurried(src); err != nil {
			return err
		}
		return to.explain(to.run(ctx, changing, func(dst *Tx) error {
			if err := to.engine.unhurried(dst); err != nil {
				return err
			}
			rows, err = (&copying{src, dst, progress}).all()
			return err
		}))
	})
	return rows, err
}

// copying is one run of [Copy].
type copying struct {
	src, dst *Tx
	progress func(CopyProgress)
}

func (c *copying) all() (rows int64, err error) {
	for _, t := range copiedTables {
		if n, err := c.dst.count(t); err != nil {
			return 0, err
		} else if n > 0 {
			return 0, sluice.Errorf(sluice.CodeConfig, "the target is not empty: table %s has %d rows", t.table, n)
		}
	}
	for _, t := range copiedTables {
		if err := c.write(t); err != nil {
			return 0, fmt.Errorf("copy table %s: %w", t.table, err)
		}
	}
	for _, t := range copiedTables {
		n, err := c.verify(t)
		if err != nil {
			return 0, err
		}
		rows += n
	}
	return rows, nil
}

func (c *copying) write(t copied) error {
	columns, err := c.columns(t)
	if err != nil {
		return err
	}
	p := CopyProgress{Phase: CopyWriting, Table: t.table}
	if p.Total, err = c.src.count(t); err != nil {
		return err
	}
	source := pages{tx: c.src, copied: t, columns: columns}
	for {
		page, err := source.next()
		if err != nil {
			return err
		}
		rows := rowSource{len(page), func(args []any, i int) ([]any, error) { return append(args, page[i]...), nil }}
		if err := c.dst.insertRows(t.table, columns, rows, ""); err != nil {
			return err
		}
		p.Rows += int64(len(page))
		c.progress(p)
		if len(page) < maxBatch {
			return nil
		}
	}
}

// verify reads both sides in the order of the key and compares row by row.
func (c *copying) verify(t copied) (rows int64, err error) {
	columns, err := c.columns(t)
	if err != nil {
		return 0, err
	}
	p := CopyProgress{Phase: CopyVerifying, Table: t.table}
	if p.Total, err = c.src.count(t); err != nil {
		return 0, err
	}
	source, target := pages{tx: c.src, copied: t, columns: columns}, pages{tx: c.dst, copied: t, columns: columns}
	digest := sha256.New()
	for {
		want, err := source.next()
		if err != nil {
			return 0, err
		}
		got, err := target.next()
		if err != nil {
			return 0, err
		}
		if len(want) != len(got) {
			return 0, sluice.Errorf(sluice.CodeDatabase, "table %s was not copied whole: the source has %d rows behind the first %d, the target %d",
				t.table, len(want), p.Rows, len(got))
		}
		for i := range want {
			hash, err := hashRow(want[i])
			if err != nil {
				return 0, err
			}
			if other, err := hashRow(got[i]); err != nil || other != hash {
				return 0, sluice.Errorf(sluice.CodeDatabase, "row %v of table %s differs in the target", source.keyOf(want[i]), t.table).Because(err)
			}
			digest.Write(hash[:])
		}
		p.Rows += int64(len(want))
		if len(want) < maxBatch {
			p.Digest = hex.EncodeToString(digest.Sum(nil))
			c.progress(p)
			return p.Rows, nil
		}
		c.progress(p)
	}
}

// columns returns the columns that both sides have, in the target's order; a
// column that only one has is an error.
func (c *copying) columns(t copied) ([]string, error) {
	src, err := c.src.columns(t)
	if err != nil {
		return nil, err
	}
	dst, err := c.dst.columns(t)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(slices.Sorted(slices.Values(src)), slices.Sorted(slices.Values(dst))) {
		return nil, sluice.Errorf(sluice.CodeDatabase, "table %s has other columns in the target: %v instead of %v", t.table, dst, src)
	}
	return dst, nil
}

func (tx *Tx) columns(t copied) (columns []string, err error) {
	ctx, done := tx.statement()
	defer done()
	rows, err := tx.tx.QueryContext(ctx, `SELECT * FROM "`+t.table+`" LIMIT 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	return columns, rows.Err()
}

func (tx *Tx) count(t copied) (n int64, err error) {
	err = tx.row(`SELECT COUNT(*) FROM "`+t.table+`"`, nil, &n)
	return n, err
}

// pages reads a table in the order of its key, up to maxBatch rows at a time:
// no statement lasts long, however large the table is.
type pages struct {
	tx *Tx
	copied
	columns []string
	last    []any // the key of the last row read
}

func (p *pages) next() (page [][]any, err error) {
	key := strings.Join(p.key, ", ")
	query := `SELECT ` + strings.Join(p.columns, ", ") + ` FROM "` + p.table + `"`
	if p.last != nil {
		query += ` WHERE (` + key + `) > (` + placeholders(1, len(p.last)) + `)`
	}
	err = p.tx.each(query+` ORDER BY `+key+limit(maxBatch), p.last, func(rows *sql.Rows) error {
		row, dest := make([]any, len(p.columns)), make([]any, len(p.columns))
		for i := range row {
			dest[i] = &row[i]
		}
		page = append(page, row)
		return rows.Scan(dest...)
	})
	if len(page) > 0 {
		p.last = p.keyOf(page[len(page)-1])
	}
	return page, err
}

func (p *pages) keyOf(row []any) []any {
	key := make([]any, len(p.key))
	for i, name := range p.key {
		key[i] = row[slices.Index(p.columns, name)]
	}
	return key
}

// hashRow hashes what a row keeps; both engines return int64 and string.
func hashRow(row []any) (hash [sha256.Size]byte, err error) {
	b, err := json.Marshal(row)
	if err != nil {
		return hash, fmt.Errorf("hash a row: %w", err)
	}
	return sha256.Sum256(b), nil
}
