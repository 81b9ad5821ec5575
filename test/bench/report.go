package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sample is one run of one workload against one peer.
type sample struct {
	Workload string        `json:"workload"`
	Peer     string        `json:"peer"`
	CPU      time.Duration `json:"cpu_nanos"`
	Idle     memory        `json:"idle_bytes"`
	Peak     memory        `json:"peak_bytes"`
	// HoldNanos is what one balance decision takes, of the ledger by itself.
	HoldNanos float64 `json:"hold_nanos,omitempty"`
	// LagMS is how far the books were behind while requests came, at p99.
	LagMS float64 `json:"lag_p99_ms,omitempty"`
	loadResult
}

// void reports whether the sample counts for nothing.
func (s sample) void() bool { return s.Errors > 0 || s.Requests == 0 }

// cost is CPU in microseconds per unit of the workload.
func (s sample) cost(w workload) float64 {
	n := s.Requests
	if w.Unit == "event" {
		n = s.Events
	}
	return float64(s.CPU.Microseconds()) / float64(max(n, 1))
}

func (s sample) line(w workload) string {
	if s.void() {
		return fmt.Sprintf("%-6s %-7s void: %d errors, %s", s.Workload, s.Peer, s.Errors, s.Error)
	}
	return fmt.Sprintf("%-6s %-7s %8.0f/s %7.2f us/%s  p50 %.0f us  p99 %.0f us  rss %.1f MiB", s.Workload, s.Peer,
		float64(s.Requests)/s.Seconds, s.cost(w), w.Unit, s.P50US, s.P99US, float64(s.Peak.All)/(1<<20))
}

// figure is the median of one measure over the samples of one peer.
type figure struct {
	Workload string  `json:"workload"`
	About    string  `json:"about"`
	Measure  string  `json:"measure"`
	Peer     string  `json:"peer"`
	Median   float64 `json:"median"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	// Ratio is the median over nginx's, 0 for nginx itself; Goal is the most it
	// should be.
	Ratio float64 `json:"ratio,omitempty"`
	Goal  float64 `json:"goal,omitempty"`
	// Most is the most that the median itself should be, Least what it should
	// reach.
	Most  float64 `json:"most,omitempty"`
	Least float64 `json:"least,omitempty"`
	Runs  int     `json:"runs"`
	Void  int     `json:"void"`
}

// report is everything that a run found out.
type report struct {
	When    time.Time `json:"when"`
	Machine string    `json:"machine"`
	// Load is the load average when the run began: other work spoils figures.
	Load string `json:"load"`
	// Pairs and Seconds say how often and how long each run was.
	Pairs    int               `json:"pairs"`
	Seconds  float64           `json:"seconds"`
	Versions map[string]string `json:"versions"`
	Figures  []figure          `json:"figures"`
	Samples  []sample          `json:"samples"`

	peers []string
}

func newReport(b *bench) *report {
	r := &report{When: time.Now().UTC(), Machine: machine(), Load: loadAverage(), Pairs: b.pairs, Seconds: b.length.Seconds(), Versions: map[string]string{"go": runtime.Version()}}
	for _, p := range b.peers {
		r.Versions[p.name] = strings.TrimSpace(p.version)
		r.peers = append(r.peers, p.name)
	}
	return r
}

// machine is the processor's name and how many of them there are.
func machine() string {
	name := runtime.GOARCH
	b, _ := os.ReadFile("/proc/cpuinfo")
	for l := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
			name = strings.TrimSpace(v)
			break
		}
	}
	return fmt.Sprintf("%s, %d cores", name, runtime.NumCPU())
}

// loadAverage is how busy the machine was over the last minute.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

func (r *report) add(s sample) { r.Samples = append(r.Samples, s) }

// measure is one thing that a workload is judged by.
type measure struct {
	name string
	// goal bounds the ratio to nginx, most the value itself; 0 is no bound.
	goal, most float64
	// bare is most for who is only a gateway; 0 is no other.
	bare float64
	// least is what the value should reach; 0 is no bound.
	least float64
	of    func(s sample) float64
	// only names the one peer beside nginx that has the measure; "" is all.
	only string
}

// measures are what a workload is judged by.
func (r *report) measures(w workload) []measure {
	list := []measure{{name: "CPU us per " + w.Unit, goal: w.Goal, most: w.Cost, of: func(s sample) float64 { return s.cost(w) }}}
	switch {
	case w.Clients == 0:
		return append(list, sideMeasures(w)...)
	case w.Unit == "request" && w.Rate == 0:
		books, name := r.sideCost(booksWorkload), "the same without storing its record"
		if w.Path == chatPath {
			books, name = r.sideCost(ledgerWorkload), "the same without the ledger and its record"
		}
		list = append(list, measure{name: name, goal: w.Goal, only: "sluice", of: func(s sample) float64 {
			if s.Peer == "sluice" {
				return s.cost(w) - books
			}
			return s.cost(w)
		}})
		if w.Limited {
			list[0].goal = 0 // the goal is the gateway's share
			list = append(list, measure{name: "books behind, p99 ms", most: 1000, only: "sluice", of: func(s sample) float64 { return s.LagMS }})
		}
	case w.Rate > 0:
		list[0].goal = 0
		list = append(list,
			measure{name: "added p50 us", goal: w.Goal, of: func(s sample) float64 { return s.P50US - r.directP(w, false) }},
			measure{name: "added p99 us", of: func(s sample) float64 { return s.P99US - r.directP(w, true) }})
	case w.Once:
		list = append(list,
			measure{name: "KiB per stream", most: w.Most, of: func(s sample) float64 {
				return float64(s.Peak.Own-s.Idle.Own) / 1024 / float64(w.Clients)
			}},
			measure{name: "idle MiB", most: 60, bare: 25, of: func(s sample) float64 { return float64(s.Idle.All) / (1 << 20) }})
	}
	return list
}

// sideMeasures are what a side has beside its cost.
func sideMeasures(w workload) (list []measure) {
	if w.Ingest > 0 {
		list = append(list, measure{name: "requests a second", least: w.Ingest, of: func(s sample) float64 { return float64(s.Requests) / s.Seconds }})
	}
	if w.Name == ledgerWorkload {
		list = append(list, measure{name: "us per balance decision", most: 1, of: func(s sample) float64 { return s.HoldNanos / 1e3 }})
	}
	return list
}

// sideCost is what a side costs, in microseconds.
func (r *report) sideCost(name string) float64 {
	var all []float64
	for _, s := range r.Samples {
		if s.Workload == name {
			all = append(all, float64(s.CPU.Microseconds())/float64(max(s.Requests, 1)))
		}
	}
	return median(all)
}

// directP is the latency without a gateway.
func (r *report) directP(w workload, p99 bool) float64 {
	var all []float64
	for _, s := range r.Samples {
		if s.Workload == w.Name && s.Peer == "direct" && !s.void() {
			all = append(all, map[bool]float64{false: s.P50US, true: s.P99US}[p99])
		}
	}
	return median(all)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// settle computes the figures.
func (r *report) settle() {
	r.Figures = nil
	all := workloads()
	for _, p := range sides("any") {
		all = append(all, p.workload)
	}
	for _, w := range all {
		for _, m := range r.measures(w) {
			base := 0.0
			for _, peer := range r.peers {
				f := r.figure(w, m, peer)
				switch {
				case f.Runs+f.Void == 0:
					continue
				case peer == "nginx":
					base = f.Median
					if m.only != "" {
						continue
					}
				case m.only != "" && peer != m.only:
					continue
				case f.Runs > 0:
					if base > 0 {
						f.Ratio = f.Median / base
					}
					if ours(peer) {
						f.Goal, f.Most, f.Least = m.goal, m.most, m.least
					}
					if m.bare > 0 && peer == "gateway" {
						f.Most = m.bare
					}
				}
				r.Figures = append(r.Figures, f)
			}
		}
	}
}

// ours tells our own gateways, which have goals.
func ours(peer string) bool { return peer == "wire" || peer == "sluice" || peer == "gateway" }

// figure is one measure of one workload on one peer.
func (r *report) figure(w workload, m measure, peer string) figure {
	f := figure{Workload: w.Name, About: w.About, Measure: m.name, Peer: peer}
	var values []float64
	for _, s := range r.Samples {
		switch {
		case s.Workload != w.Name || s.Peer != peer:
		case s.void():
			f.Void++
		default:
			values = append(values, m.of(s))
		}
	}
	if f.Runs = len(values); f.Runs > 0 {
		f.Median, f.Low, f.High = median(values), slices.Min(values), slices.Max(values)
	}
	return f
}

// texts are the cells of a figure that may be empty.
func (f figure) texts() (ratio, goal, runs string) {
	if f.Ratio > 0 {
		ratio = fmt.Sprintf("%.2f", f.Ratio)
	}
	switch {
	case f.Goal > 0:
		goal = fmt.Sprintf("%.1fx", f.Goal)
	case f.Most > 0:
		goal = fmt.Sprintf("<=%.0f", f.Most)
	case f.Least > 0:
		goal = fmt.Sprintf(">=%.0f", f.Least)
	}
	runs = fmt.Sprint(f.Runs)
	if f.Void > 0 {
		runs += fmt.Sprintf(" (%d void)", f.Void)
	}
	return ratio, goal, runs
}

// write prints the table and stores JSON and chart.
func (r *report) write(dir string) error {
	r.settle()
	fmt.Print(r.table())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.json"), b, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.md"), []byte(r.markdown()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.svg"), []byte(chart(r)), 0o644)
}

func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; load average %s; %d runs of %.1f s; %v\n", r.Machine, r.Load, r.Pairs, r.Seconds, r.Versions)
	fmt.Fprintf(&b, "%-40s %-16s %-7s %10s %21s %7s %6s %5s\n", "workload", "measure", "peer", "median", "spread", "ratio", "goal", "runs")
	for _, f := range r.Figures {
		ratio, goal, runs := f.texts()
		fmt.Fprintf(&b, "%-40s %-16s %-7s %10.2f %10.2f-%10.2f %7s %6s %5s\n", f.Workload+": "+f.About, f.Measure, f.Peer, f.Median, f.Low, f.High, ratio, goal, runs)
	}
	return b.String()
}
