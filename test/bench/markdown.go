package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// The markers between which a document keeps the table of the last run.
const (
	tableBegin = "<!-- bench:begin -->"
	tableEnd   = "<!-- bench:end -->"
)

// markdown is the report as a document shows it.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, on %s, load average %s when it began, %d runs of %.1f s each.\n", r.When.Format("2006-01-02"), r.Machine, r.Load, r.Pairs, r.Seconds)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, "- %s: %s\n", name, r.Versions[name])
	}
	b.WriteString("\n| workload | measure | gateway | median | spread | x nginx | goal | runs |\n|---|---|---|---:|---:|---:|---:|---:|\n")
	for _, f := range r.Figures {
		ratio, goal, runs := f.texts()
		if goal != "" {
			goal += map[bool]string{true: " met", false: " **missed**"}[f.met()]
		}
		fmt.Fprintf(&b, "| %s: %s | %s | %s | %.2f | %.2f - %.2f | %s | %s | %s |\n", f.Workload, f.About, f.Measure, f.Peer, f.Median, f.Low, f.High, ratio, goal, runs)
	}
	return b.String()
}

// met reports whether a figure keeps its goal; a run that was void keeps none.
func (f figure) met() bool {
	return f.Runs > 0 && f.Void == 0 && (f.Goal == 0 || f.Ratio <= f.Goal) && (f.Most == 0 || f.Median <= f.Most) && f.Median >= f.Least
}

// insertTable puts the table between the markers of a document.
func insertTable(file, table string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the table: %s and %s", file, tableBegin, tableEnd)
	}
	return os.WriteFile(file, []byte(before+tableBegin+"\n"+table+tableEnd+after), 0o644)
}
