package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
)

// side is something that a gateway's process does beside serving, measured in a
// process that does nothing else.
type side struct {
	workload
	// args start it; a folder of its own comes last, as -dir.
	args []string
}

// The names of the sides, which are also their roles.
const (
	booksWorkload    = "books"
	ledgerWorkload   = "ledger"
	postgresWorkload = "pgledger"
)

// sideResult is what such a process reports on its standard output.
type sideResult struct {
	CPU     time.Duration `json:"cpu_nanos"`
	Units   int64         `json:"units"`
	Seconds float64       `json:"seconds"`
	// HoldNanos is what one balance decision takes, where that is measured.
	HoldNanos float64 `json:"hold_nanos,omitempty"`
}

// sides are all there are, in the order of the table; dsn is a PostgreSQL
// database, or empty without one.
func sides(dsn string) []side {
	list := []side{
		{workload{Name: booksWorkload, About: "storing a request's record, by itself", Unit: "record"}, []string{"books"}},
		{workload{Name: ledgerWorkload, About: "a charged request's transfers and record, by themselves", Unit: "request", Cost: 60, Ingest: 5000}, []string{"ledger", "-admit"}},
	}
	if dsn != "" {
		list = append(list, side{workload{Name: postgresWorkload, About: "the same in PostgreSQL, of other processes", Unit: "request", Ingest: 20_000}, []string{"ledger", "-postgres", dsn}})
	}
	return list
}

// measureSides runs every side as often as a workload.
func (b *bench) measureSides(r *report) error {
	pg, err := startPostgres(b.otherCore)
	if err != nil {
		return err
	}
	defer pg.stop()
	for range b.pairs {
		dsn, err := pg.fresh()
		if err != nil {
			return err
		}
		for _, p := range sides(dsn) {
			if err := b.measureSide(r, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureSide runs a side once, on the gateway's core.
func (b *bench) measureSide(r *report, p side) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	proc, err := start(b.gwCore, nil, b.self, append(p.args, "-dir", dir)...)
	if err != nil {
		return err
	}
	defer proc.cmd.Wait()
	var result sideResult
	if err := json.NewDecoder(proc.out).Decode(&result); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	s := sample{Workload: p.Name, Peer: "sluice", CPU: result.CPU, HoldNanos: result.HoldNanos}
	s.Requests, s.Seconds = result.Units, result.Seconds
	r.add(s)
	fmt.Fprintln(os.Stderr, s.line(p.workload))
	return nil
}

// used is the CPU time between two readings.
func used(before, after *syscall.Rusage) time.Duration {
	return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}
