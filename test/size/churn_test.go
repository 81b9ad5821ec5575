package size_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

func pluginSet(names ...string) map[string]json.RawMessage {
	set := map[string]json.RawMessage{}
	for _, n := range names {
		set[n] = json.RawMessage(`{}`)
	}
	return set
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkChurn: 50 changes a second among 100,000 keys under load.
func BenchmarkChurn(b *testing.B) {
	const (
		rounds  = 4
		quiet   = 8 * time.Second
		changes = 50 // a second
		busy    = 10 * time.Second
	)
	in := install(b, 100_000, 100)
	g := in.gateway()
	url, c := g.Gateway+"/svc1/x", newClient()
	awaitToken(b, c, url, tokenOf(0))
	l := start(b, url)
	time.Sleep(5 * time.Second)
	var still, moving, live []time.Duration
	var memory []float64
	for round := range rounds {
		l.take()
		time.Sleep(quiet)
		p99, _ := l.take()
		still = append(still, p99)
		tick := time.NewTicker(time.Second / changes)
		probes := make(chan time.Duration, 1000)
		n := int(busy.Seconds()) * changes
		probed := 0
		for i := range n {
			<-tick.C
			token := fmt.Sprint("new-", round, "-", i)
			made := time.Now()
			in.change(func(s *sluice.Snapshot) {
				s.Keys = slices.Clone(s.Keys)
				at := (round*n + i) * 37 % len(s.Keys)
				if i%2 == 0 {
					k := *s.Keys[at]
					k.Version, k.Weight = k.Version+1, 1+i%9
					s.Keys[at] = &k
					return
				}
				k := in.key(fmt.Sprintf("new-%d-%05d", round, i), token)
				s.Keys = append(s.Keys, k)
			})
			if i%10 == 1 {
				probed++
				go func() { awaitToken(b, c, url, token); probes <- time.Since(made) }()
			}
		}
		tick.Stop()
		p99, _ = l.take()
		moving = append(moving, p99)
		for range probed {
			live = append(live, <-probes)
		}
		memory = append(memory, rss(b, g.PID()))
	}
	_, failed := l.take()
	took := swaps(g)
	b.Logf("p99 still %v, moving %v; resident %.0f MiB after each round; %d swaps, p99 %v", still, moving, memory, len(took), percentile(slices.Clone(took), 99))
	slices.Sort(still)
	slices.Sort(moving)
	b.ReportMetric(milliseconds(still[rounds/2]), "ms-p99-still")
	b.ReportMetric(milliseconds(moving[rounds/2]), "ms-p99-moving")
	b.ReportMetric(milliseconds(percentile(live, 99)), "ms-live-p99")
	b.ReportMetric(float64(failed), "failed")
	b.ReportMetric(memory[rounds-1], "MiB")
}

// BenchmarkSwap: everything changes at once, 10,000 routes and 100,000 keys.
func BenchmarkSwap(b *testing.B) {
	in := install(b, 100_000, 10_000)
	g := in.gateway()
	url, c := g.Gateway+"/svc1/x", newClient()
	awaitToken(b, c, url, tokenOf(0))
	l := start(b, url)
	for range 3 {
		time.Sleep(2 * time.Second)
		next := *in.s
		next.Revision++
		next.Routes, next.Keys = slices.Clone(in.s.Routes), slices.Clone(in.s.Keys)
		for i := range next.Routes {
			next.Routes[i].Version++
		}
		for i, old := range next.Keys {
			k := *old
			k.Version, k.Weight = k.Version+1, k.Weight%9+1
			next.Keys[i] = &k
		}
		next.Keys = append(next.Keys, in.key(fmt.Sprint("swap-", next.Revision), fmt.Sprint("swap-", next.Revision)))
		must(b, in.publ.Sync(b.Context(), &next, link.SyncOptions{}))
		in.s = &next
		awaitToken(b, c, url, fmt.Sprint("swap-", next.Revision))
	}
	time.Sleep(time.Second)
	_, failed := l.take()
	took := swaps(g)
	if len(took) == 0 {
		b.Fatalf("the log does not tell of swaps:\n%.2000s", g.Stderr())
	}
	b.Logf("swaps took %v", took)
	b.ReportMetric(milliseconds(slices.Max(took)), "ms-swap-max")
	b.ReportMetric(float64(failed), "failed")
	b.ReportMetric(rss(b, g.PID()), "MiB")
}

// BenchmarkStart: a gateway starts with a million keys in Redis.
func BenchmarkStart(b *testing.B) {
	in := install(b, 1_000_000, 100)
	for name, env := range map[string]string{"looked-up": "SLUICE_MAX_KEYS=200000", "held": "SLUICE_MAX_KEYS=2000000"} {
		b.Run(name, func(b *testing.B) {
			in.b = b
			began := time.Now()
			g := in.gateway(env)
			url, c := g.Gateway+"/svc1/x", newClient()
			awaitToken(b, c, url, tokenOf(123_456))
			b.ReportMetric(time.Since(began).Seconds(), "s-to-first-answer")
			time.Sleep(12 * time.Second) // until the last good file is written
			b.ReportMetric(rss(b, g.PID()), "MiB")
			b.ReportMetric(heap(b, g), "MiB-heap")
			g.Stop(b)
		})
	}
}

// BenchmarkIdle: a gateway with nothing to do, then with little, then with
// nothing again: what it let go of after its start must not all come back.
func BenchmarkIdle(b *testing.B) {
	in := install(b, 10, 1)
	g := in.gateway()
	url, c := g.Gateway+"/svc0/x", newClient()
	awaitToken(b, c, url, tokenOf(0))
	report := func(when string) {
		b.Logf("%s: %.1f MiB resident, %.1f of files, %.1f anonymous", when, rss(b, g.PID()), resident(b, g.PID(), "RssFile"), resident(b, g.PID(), "RssAnon"))
	}
	time.Sleep(15 * time.Second)
	report("idle")
	b.ReportMetric(rss(b, g.PID()), "MiB-idle")
	for range 200 {
		ask(c, url, tokenOf(0))
		time.Sleep(50 * time.Millisecond)
	}
	report("after 10 s of 20 requests a second")
	b.ReportMetric(rss(b, g.PID()), "MiB-light-load")
	time.Sleep(10 * time.Second)
	report("idle again, 10 s later")
	b.ReportMetric(rss(b, g.PID()), "MiB-idle-again")
}
