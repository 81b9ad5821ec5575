package control

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	// maxMonths bounds the months of one report, each of which is a query.
	maxMonths = 120
	// maxUsageRows bounds the rows of one report.
	maxUsageRows = 10_000
)

// BilledUsage aggregates what requests used and cost, within the limits of
// [Session.Records], the earliest bucket first; the bucket is the first dimension
// of a row, by its beginning. More than 10,000 rows, or 120 months, are
// [sluice.CodeInvalidRequest].
func (s *Session) BilledUsage(ctx context.Context, q sluice.BilledUsageQuery) ([]sluice.UsageRow, error) {
	for _, name := range q.GroupBy {
		if name == sluice.BucketHour || name == sluice.BucketDay {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "group_by names no time; send bucket=%s", name).At("group_by")
		}
	}
	q.From, q.To = reportSpan(q.From, q.To, s.c.cfg.Clock().UTC())
	if !q.From.Before(q.To) {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "from must be before to").At("from")
	}
	switch q.Bucket {
	case "":
		return s.Usage(ctx, q.UsageQuery)
	case sluice.BucketHour, sluice.BucketDay:
		q.GroupBy = append([]string{q.Bucket}, q.GroupBy...)
		return s.Usage(ctx, q.UsageQuery)
	case sluice.BucketMonth:
		return s.usageByMonth(ctx, q.UsageQuery)
	}
	return nil, sluice.Errorf(sluice.CodeInvalidRequest, "bucket must be hour, day or month").At("bucket")
}

// reportSpan fills in what a report's time leaves out.
func reportSpan(from, to, now time.Time) (time.Time, time.Time) {
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = monthOf(to.UTC().Add(-time.Nanosecond))
	}
	return from.UTC(), to.UTC()
}

// monthOf is the first moment of the month.
func monthOf(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// usageByMonth asks for each month by itself: months are no division of a number.
func (s *Session) usageByMonth(ctx context.Context, q sluice.UsageQuery) ([]sluice.UsageRow, error) {
	out := []sluice.UsageRow{}
	begin, end := q.From, q.To
	for n := 0; begin.Before(end); n++ {
		if n == maxMonths {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "more than %d months; narrow the time", maxMonths).At("from")
		}
		month := monthOf(begin)
		q.From, q.To = begin, month.AddDate(0, 1, 0)
		if q.To.After(end) {
			q.To = end
		}
		begin = q.To
		rows, err := s.Usage(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			r.Group[sluice.BucketMonth] = month.Format(time.RFC3339)
			out = append(out, r)
		}
		if len(out) > maxUsageRows {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "more than %d rows; narrow the time or the dimensions", maxUsageRows).At("group_by")
		}
	}
	return out, nil
}

// BilledUsageCSV renders [Session.BilledUsage] as a table with a header: the
// bucket, the dimensions, the counts, and a column of costs for each asset, of
// which there is at least cost_USD.
func (s *Session) BilledUsageCSV(ctx context.Context, q sluice.BilledUsageQuery) ([]byte, error) {
	rows, err := s.BilledUsage(ctx, q)
	if err != nil {
		return nil, err
	}
	dimensions := slices.Clone(q.GroupBy)
	if q.Bucket != "" {
		dimensions = append([]string{q.Bucket}, dimensions...)
	}
	assets := assetsOf(rows)
	table := [][]string{append(slices.Clone(dimensions), "requests", "errors", "input", "cached_input", "cache_write_5m", "cache_write_1h",
		"output", "reasoning", "audio_input", "audio_output", "image", "image_input", "images", "audio_seconds", "characters", "search_units")}
	for _, a := range assets {
		table[0] = append(table[0], "cost_"+a)
	}
	for _, r := range rows {
		table = append(table, usageCells(r, dimensions, assets))
	}
	return renderCSV(table)
}

// assetsOf lists what rows have costs in, by name.
func assetsOf(rows []sluice.UsageRow) []string {
	seen := map[string]bool{}
	for _, r := range rows {
		for _, c := range r.Cost {
			seen[c.Asset] = true
		}
	}
	if len(seen) == 0 {
		return []string{"USD"}
	}
	return slices.Sorted(maps.Keys(seen))
}

func usageCells(r sluice.UsageRow, dimensions, assets []string) []string {
	var cells []string
	for _, d := range dimensions {
		cells = append(cells, cell(r.Group[d]))
	}
	u := r.Usage
	for _, n := range []int64{
		r.Requests, r.Errors, u.Input, u.CachedInput, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.AudioInput, u.AudioOutput, u.Image,
		u.ImageInput, u.Images, u.AudioSeconds, u.Characters, u.SearchUnits,
	} {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	costs := map[string]string{}
	for _, c := range r.Cost {
		costs[c.Asset] = c.Amount.String()
	}
	for _, a := range assets {
		cells = append(cells, costs[a])
	}
	return cells
}
