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
	IdleRSS  int64         `json:"idle_rss_bytes"`
	RSS      int64         `json:"rss_bytes"`
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
		float64(s.Requests)/s.Seconds, s.cost(w), w.Unit, s.P50US, s.P99US, float64(s.RSS)/(1<<20))
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
	// Ratio is the median over nginx's, 0 for nginx itself.
	Ratio float64 `json:"ratio,omitempty"`
	Goal  float64 `json:"goal,omitempty"`
	Runs  int     `json:"runs"`
	Void  int     `json:"void"`
}

// report is everything that a run found out.
type report struct {
	When     time.Time         `json:"when"`
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"`
	Figures  []figure          `json:"figures"`
	Samples  []sample          `json:"samples"`

	peers []string
}

func newReport(b *bench) *report {
	r := &report{When: time.Now().UTC(), Machine: machine(), Versions: map[string]string{"go": runtime.Version()}}
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

func (r *report) add(s sample) { r.Samples = append(r.Samples, s) }

// measures are what a workload is judged by.
func measures(w workload) []struct {
	name string
	goal float64
	of   func(r *report, s sample) float64
} {
	type m = struct {
		name string
		goal float64
		of   func(r *report, s sample) float64
	}
	list := []m{{"CPU us per " + w.Unit, w.Goal, func(_ *report, s sample) float64 { return s.cost(w) }}}
	switch {
	case w.Rate > 0:
		list[0].goal = 0
		list = append(list,
			m{"added p50 us", w.Goal, func(r *report, s sample) float64 { return s.P50US - r.directP(w, false) }},
			m{"added p99 us", 0, func(r *report, s sample) float64 { return s.P99US - r.directP(w, true) }})
	case w.Once:
		list = append(list, m{"KiB per stream", 0, func(_ *report, s sample) float64 {
			return float64(s.RSS-s.IdleRSS) / 1024 / float64(w.Clients)
		}})
	case w.Name == "plain":
		list = append(list, m{"idle MiB", 0, func(_ *report, s sample) float64 { return float64(s.IdleRSS) / (1 << 20) }})
	}
	return list
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
	for _, w := range workloads() {
		for _, m := range measures(w) {
			base := 0.0
			for _, peer := range r.peers {
				f := figure{Workload: w.Name, About: w.About, Measure: m.name, Peer: peer}
				var values []float64
				for _, s := range r.Samples {
					switch {
					case s.Workload != w.Name || s.Peer != peer:
					case s.void():
						f.Void++
					default:
						values = append(values, m.of(r, s))
					}
				}
				if f.Runs = len(values); f.Runs+f.Void == 0 {
					continue
				}
				if f.Runs > 0 {
					f.Median, f.Low, f.High = median(values), slices.Min(values), slices.Max(values)
				}
				if peer == "nginx" {
					base = f.Median
				} else if base > 0 && f.Runs > 0 {
					f.Ratio, f.Goal = f.Median/base, m.goal
				}
				r.Figures = append(r.Figures, f)
			}
		}
	}
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
	return os.WriteFile(filepath.Join(dir, "bench.svg"), []byte(chart(r)), 0o644)
}

func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %v\n", r.Machine, r.Versions)
	fmt.Fprintf(&b, "%-40s %-16s %-7s %10s %21s %7s %6s %5s\n", "workload", "measure", "peer", "median", "spread", "ratio", "goal", "runs")
	for _, f := range r.Figures {
		ratio, goal, runs := "", "", fmt.Sprint(f.Runs)
		if f.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f", f.Ratio)
		}
		if f.Goal > 0 {
			goal = fmt.Sprintf("%.1f", f.Goal)
		}
		if f.Void > 0 {
			runs += fmt.Sprintf(" (%d void)", f.Void)
		}
		fmt.Fprintf(&b, "%-40s %-16s %-7s %10.2f %10.2f-%10.2f %7s %6s %5s\n", f.Workload+": "+f.About, f.Measure, f.Peer, f.Median, f.Low, f.High, ratio, goal, runs)
	}
	return b.String()
}
