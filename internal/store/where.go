package store

import (
	"fmt"
	"strconv"
	"strings"
)

// where gathers conditions and their arguments and numbers the placeholders,
// so that values never become part of the SQL text.
type where struct {
	conds []string
	args  []any
}

// add joins a condition by AND; each ? in it stands for the next value.
func (w *where) add(cond string, values ...any) {
	for _, v := range values {
		w.args = append(w.args, v)
		cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conds = append(w.conds, cond)
}

// addIf adds an equality unless the value is empty.
func (w *where) addIf(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

// sql renders " WHERE …", or nothing.
func (w *where) sql() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// limit renders " LIMIT n", or nothing for 0.
func limit(n int) string {
	if n == 0 {
		return ""
	}
	return " LIMIT " + strconv.Itoa(n)
}

// placeholders renders "$first, $first+1, …" for n values.
func placeholders(first, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(out, ", ")
}

// insertInto renders an INSERT of so many rows without its conflict clause.
func insertInto(table string, columns []string, rows int) string {
	values := make([]string, rows)
	for i := range values {
		values[i] = "(" + placeholders(1+i*len(columns), len(columns)) + ")"
	}
	return `INSERT INTO "` + table + `" (` + strings.Join(columns, ", ") + `) VALUES ` + strings.Join(values, ", ")
}

// escapeLike makes a text match itself in LIKE … ESCAPE '!': a client's
// wildcards would otherwise make a search arbitrarily slow.
func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}
