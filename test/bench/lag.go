package main

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	_ "modernc.org/sqlite" // the driver of the product's database
)

// lagEvery is how often the books are looked at; a look is one key of an index.
const lagEvery = 25 * time.Millisecond

// watchLag reads in a data folder's database how old the newest request in it
// is, from the moment it was made, until ctx ends; then it sends the p99 in
// milliseconds. What is measured contains the request's own duration.
func watchLag(ctx context.Context, folder string) (<-chan float64, error) {
	file := url.URL{Scheme: "file", Opaque: filepath.Join(folder, "sluice.db"), RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(1000)"}
	db, err := sql.Open("sqlite", file.String())
	if err != nil {
		return nil, err
	}
	worst, began := make(chan float64, 1), time.Now()
	go func() { // ends with ctx
		defer db.Close()
		var lags []float64
		tick := time.NewTicker(lagEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				worst <- p99(lags)
				return
			case <-tick.C:
			}
			var newest int64
			err := db.QueryRow(`SELECT time FROM records ORDER BY time DESC LIMIT 1`).Scan(&newest)
			if at := time.UnixMicro(newest); err == nil && at.After(began) { // those before warmed up
				lags = append(lags, float64(time.Since(at).Microseconds())/1e3)
			}
		}
	}()
	return worst, nil
}

// p99 is the value that one in a hundred exceeds, 0 of none.
func p99(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)*99/100]
}
