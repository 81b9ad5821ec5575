package store

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
)

// Rows of the ledger come by the thousand with every commit. PostgreSQL takes
// them as one array for each column, in one statement and one round trip; SQLite
// as parameters of statements that are prepared once.

// bulk is a table's columns with their types, as "name type".
type bulk []string

// typed are columns of which some are texts and all others numbers.
func typed(columns, texts []string) bulk {
	b := make(bulk, len(columns))
	for i, name := range columns {
		kind := " bigint"
		if slices.Contains(texts, name) {
			kind = " text"
		}
		b[i] = name + kind
	}
	return b
}

func (b bulk) names() []string {
	names := make([]string, len(b))
	for i := range b {
		names[i], _, _ = strings.Cut(b[i], " ")
	}
	return names
}

// arrays renders unnest($1::type[], ...) of the columns.
func (b bulk) arrays() string {
	arrays := make([]string, len(b))
	for i := range b {
		_, kind, _ := strings.Cut(b[i], " ")
		arrays[i] = "$" + strconv.Itoa(i+1) + "::" + kind + "[]"
	}
	return "unnest(" + strings.Join(arrays, ", ") + ")"
}

// turn makes an array of each column.
func (b bulk) turn(rows rowSource) (args []any, err error) {
	ints, texts, bytes := make([][]*int64, len(b)), make([][]string, len(b)), make([][][]byte, len(b))
	var row []any
	for i := range rows.n {
		if row, err = rows.row(row[:0], i); err != nil {
			return nil, err
		}
		for c := range b {
			switch {
			case strings.HasSuffix(b[c], " bigint"):
				var p *int64
				if v, ok := row[c].(int64); ok {
					p = &v
				}
				ints[c] = append(ints[c], p)
			case strings.HasSuffix(b[c], " text"):
				v, _ := row[c].(string)
				texts[c] = append(texts[c], cleanText(v))
			default:
				v, _ := row[c].([]byte)
				bytes[c] = append(bytes[c], v)
			}
		}
	}
	for c := range b {
		switch {
		case ints[c] != nil:
			args = append(args, ints[c])
		case texts[c] != nil:
			args = append(args, texts[c])
		default:
			args = append(args, bytes[c])
		}
	}
	return args, nil
}

// maxSought bounds the ids that one statement looks for as parameters.
const maxSought = 200

// eachAmong calls fn with an expression to put behind a column of ids, which is
// true for these ids: once for all in PostgreSQL, which takes an array.
func (tx *Tx) eachAmong(ids []sluice.TransferID, fn func(among string, args []any) error) error {
	all := make([][]byte, len(ids))
	for i := range ids {
		all[i] = ids[i][:]
	}
	if tx.arrays && len(all) > 0 {
		return fn(`= ANY($1::bytea[])`, []any{all})
	}
	for part := range slices.Chunk(all, maxSought) {
		args := make([]any, len(part))
		for i := range part {
			args[i] = part[i]
		}
		if err := fn(`IN (`+placeholders(1, len(args))+`)`, args); err != nil {
			return err
		}
	}
	return nil
}

// insertBulk inserts rows and returns how many that were.
func (tx *Tx) insertBulk(table string, columns bulk, rows rowSource, onConflict string) (inserted int64, err error) {
	if rows.n == 0 {
		return 0, nil
	}
	if !tx.arrays {
		return tx.insertCounted(table, columns.names(), rows, onConflict)
	}
	args, err := columns.turn(rows)
	if err != nil {
		return 0, err
	}
	return tx.exec(`INSERT INTO "`+table+`" (`+strings.Join(columns.names(), ", ")+`) SELECT * FROM `+columns.arrays()+onConflict, args...)
}

// updateBulk runs an UPDATE for each row: set and where use the columns as
// m.name. It returns how many rows of the table changed.
func (tx *Tx) updateBulk(table string, columns bulk, rows rowSource, set, where string) (changed int64, err error) {
	if tx.arrays {
		args, err := columns.turn(rows)
		if err != nil {
			return 0, err
		}
		return tx.exec(`UPDATE "`+table+`" SET `+set+` FROM `+columns.arrays()+` AS m(`+strings.Join(columns.names(), ", ")+`) WHERE `+where, args...)
	}
	for i, name := range columns.names() {
		set, where = strings.ReplaceAll(set, "m."+name, "?"+strconv.Itoa(i+1)), strings.ReplaceAll(where, "m."+name, "?"+strconv.Itoa(i+1))
	}
	run, done, err := tx.prepared(`UPDATE "` + table + `" SET ` + set + ` WHERE ` + where)
	if err != nil {
		return 0, err
	}
	defer done()
	var row []any
	for i := range rows.n {
		if row, err = rows.row(row[:0], i); err != nil {
			return 0, err
		}
		n, err := run(row)
		if err != nil {
			return 0, err
		}
		changed += n
	}
	return changed, nil
}
