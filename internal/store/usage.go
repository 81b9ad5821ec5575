package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// maxUsageRows bounds one aggregation; a finer one has to be narrowed in time.
const maxUsageRows = 10_000

const (
	microsPerHour = int64(time.Hour / time.Microsecond)
	microsPerDay  = 24 * microsPerHour
)

// dimension is something usage can be grouped by: a text column, or the time
// cut to a unit of so many microseconds.
type dimension struct {
	column string
	unit   int64
}

var dimensions = map[string]dimension{
	"tenant": {column: "tenant"}, "user": {column: "user_name"}, "key": {column: "key_name"}, "model": {column: "model"},
	"provider": {column: "provider"}, "route": {column: "route"}, "outcome": {column: "outcome"},
	"hour": {unit: microsPerHour}, "day": {unit: microsPerDay},
}

// sums are the aggregates, in the order in which [scanUsage] reads them; the
// cast keeps PostgreSQL from widening them. A request that the client broke off
// is no error of ours. Costs are summed in whole units and in the rest, so that
// no sum on the way is larger than an amount may be.
const sums = `COUNT(*), CAST(SUM(CASE WHEN outcome IN ('complete', 'client_gone') THEN 0 ELSE 1 END) AS BIGINT),
	CAST(SUM(latency_ms) AS BIGINT), CAST(SUM(ttft_ms) AS BIGINT),
	CAST(SUM(input) AS BIGINT), CAST(SUM(cached_input) AS BIGINT), CAST(SUM(cache_write_5m) AS BIGINT),
	CAST(SUM(cache_write_1h) AS BIGINT), CAST(SUM(output) AS BIGINT), CAST(SUM(reasoning) AS BIGINT),
	CAST(SUM(audio_input) AS BIGINT), CAST(SUM(audio_output) AS BIGINT), CAST(SUM(image) AS BIGINT),
	CAST(SUM(image_input) AS BIGINT), CAST(SUM(images) AS BIGINT), CAST(SUM(audio_seconds) AS BIGINT),
	CAST(SUM(characters) AS BIGINT), CAST(SUM(search_units) AS BIGINT),
	asset, CAST(SUM(cost / 1000000000) AS BIGINT), CAST(SUM(cost % 1000000000) AS BIGINT)`

// Usage aggregates finished requests, ordered by the dimensions asked for;
// hours and days are UTC and shown as RFC 3339. Without a dimension it is one
// row, or none when nothing matches. An unknown dimension, more than 10,000
// rows (each asset counts), and a cost beyond 9.2e9 units are
// [sluice.CodeInvalidRequest]. An empty q.Tenant selects every tenant.
func (db *DB) Usage(ctx context.Context, q sluice.UsageQuery) ([]sluice.UsageRow, error) {
	columns, err := groupColumns(q.GroupBy)
	if err != nil {
		return nil, err
	}
	w := recordsWhere(q.RecordQuery)
	list := strings.Join(append(columns[:len(columns):len(columns)], "asset"), ", ")
	query := `SELECT ` + strings.Join(append(columns[:len(columns):len(columns)], sums), ", ") + ` FROM records` + w.sql() +
		` GROUP BY ` + list + ` ORDER BY ` + list
	out, read := []sluice.UsageRow{}, 0
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.each(query+limit(maxUsageRows+1), w.args, func(rows *sql.Rows) error {
			row, err := scanUsage(rows, q.GroupBy)
			read++
			if last := len(out) - 1; err == nil && last >= 0 && maps.Equal(out[last].Group, row.Group) {
				addUsage(&out[last], row)
				return nil
			}
			out = append(out, row)
			return err
		})
	})
	if err == nil && read > maxUsageRows {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "more than %d rows; narrow the time or the dimensions", maxUsageRows).At("group_by")
	}
	return out, err
}

// addUsage adds the row of another asset to one of the same group.
func addUsage(to *sluice.UsageRow, row sluice.UsageRow) {
	to.Requests += row.Requests
	to.Errors += row.Errors
	to.LatencyMS += row.LatencyMS
	to.TTFTMS += row.TTFTMS
	u, v := &to.Usage, row.Usage
	u.Input += v.Input
	u.CachedInput += v.CachedInput
	u.CacheWrite5m += v.CacheWrite5m
	u.CacheWrite1h += v.CacheWrite1h
	u.Output += v.Output
	u.Reasoning += v.Reasoning
	u.AudioInput += v.AudioInput
	u.AudioOutput += v.AudioOutput
	u.ImageInput += v.ImageInput
	u.Image += v.Image
	u.Images += v.Images
	u.AudioSeconds += v.AudioSeconds
	u.Characters += v.Characters
	u.SearchUnits += v.SearchUnits
	to.Cost = append(to.Cost, row.Cost...)
}

// groupColumns turns dimensions into SQL expressions of the table above.
func groupColumns(names []string) ([]string, error) {
	out := make([]string, 0, len(names))
	seen := map[string]bool{}
	for _, name := range names {
		d, ok := dimensions[name]
		if !ok || seen[name] {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "group_by must name tenant, user, key, model, provider, route, outcome, hour or day, each once").At("group_by")
		}
		seen[name] = true
		if d.unit > 0 {
			d.column = fmt.Sprintf("time / %d", d.unit)
		}
		out = append(out, d.column)
	}
	return out, nil
}

func scanUsage(rows *sql.Rows, names []string) (sluice.UsageRow, error) {
	r := sluice.UsageRow{Group: map[string]string{}}
	texts, numbers := make([]string, len(names)), make([]int64, len(names))
	dest := make([]any, 0, len(names)+21)
	for i, name := range names {
		if dimensions[name].unit > 0 {
			dest = append(dest, &numbers[i])
		} else {
			dest = append(dest, &texts[i])
		}
	}
	u := &r.Usage
	dest = append(dest, &r.Requests, &r.Errors, &r.LatencyMS, &r.TTFTMS, &u.Input, &u.CachedInput, &u.CacheWrite5m, &u.CacheWrite1h,
		&u.Output, &u.Reasoning, &u.AudioInput, &u.AudioOutput, &u.Image, &u.ImageInput, &u.Images, &u.AudioSeconds, &u.Characters, &u.SearchUnits)
	var asset string
	var whole, rest int64
	err := rows.Scan(append(dest, &asset, &whole, &rest)...)
	if err == nil && asset != "" {
		var cost sluice.Nanos
		cost, err = amount(whole, rest)
		r.Cost = []sluice.Money{{Amount: cost, Asset: asset}}
	}
	for i, name := range names {
		r.Group[name] = texts[i]
		if unit := dimensions[name].unit; unit > 0 {
			r.Group[name] = time.UnixMicro(numbers[i] * unit).UTC().Format(time.RFC3339)
		}
	}
	return r, err
}

// amount joins a sum that was taken in whole units and in nano-units; costs are
// never negative.
func amount(whole, rest int64) (sluice.Nanos, error) {
	whole, rest = whole+rest/sluice.NanosPerUnit, rest%sluice.NanosPerUnit
	sum, ok := sluice.Nanos(0), whole <= math.MaxInt64/sluice.NanosPerUnit
	if ok {
		sum, ok = sluice.Nanos(whole * sluice.NanosPerUnit).Add(sluice.Nanos(rest))
	}
	if !ok {
		return 0, sluice.Errorf(sluice.CodeInvalidRequest, "the cost is larger than can be shown; narrow the time or the dimensions").At("from")
	}
	return sum, nil
}
