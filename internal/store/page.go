package store

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	defaultPage = 50
	maxPage     = 500
)

// pageSize applies the default and the bound of a page.
func pageSize(n int) int {
	if n <= 0 {
		return defaultPage
	}
	return min(n, maxPage)
}

// addTimes bounds the column time.
func (w *where) addTimes(from, to time.Time) {
	if !from.IsZero() {
		w.add(`time >= ?`, micros(from))
	}
	if !to.IsZero() {
		w.add(`time < ?`, micros(to))
	}
}

func badCursor() error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "the cursor is not one of this list").At("cursor")
}

// recordCursor names the last record of a page by time and id.
func recordCursor(r *sluice.Record) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(micros(r.Time), 10) + " " + r.ID))
}

func parseRecordCursor(cursor string) (at int64, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", badCursor()
	}
	before, id, ok := strings.Cut(string(b), " ")
	if at, err = strconv.ParseInt(before, 10, 64); err != nil || !ok {
		return 0, "", badCursor()
	}
	return at, id, nil
}
