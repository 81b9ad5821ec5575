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

// addIndexed is addIf for a column whose index leaves empty values out; a
// database uses such an index only when the query says that it does not want
// them.
func (w *where) addIndexed(column, value string) {
	if value != "" {
		w.add(column + " <> ''")
		w.addIf(column, value)
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
