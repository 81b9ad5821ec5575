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

// BenchmarkChurn: 50 changes a second among 100,000 keys under load. Each round
// measures the same load three times: while nothing changes; while the same
// publisher publishes the same changes to another Redis, which the gateway does not
// read (what the publisher and its Redis take of the cores that all share); and
// while it publishes to the gateway's. The difference of the last two is the
// gateway's own part, and that of a Redis that serves limits and changes both.
func BenchmarkChurn(b *testing.B) {
	const (
		rounds = 4
		quiet  = 8 * time.Second
	)
	in, elsewhere := install(b, 100_000, 100), install(b, 100_000, 100)
	g := in.gateway()
	url, c := g.Gateway+"/svc1/x", newClient()
	awaitToken(b, c, url, tokenOf(0))
	l := start(b, url)
	time.Sleep(5 * time.Second)
	var still, beside, moving, live []time.Duration
	var memory, cpu []float64
	measure := func(into *[]time.Duration, during func()) {
		l.take()
		began := processor(b, g.PID())
		during()
		p99, _ := l.take()
		*into, cpu = append(*into, p99), append(cpu, processor(b, g.PID())-began)
	}
	for round := range rounds {
		measure(&still, func() { time.Sleep(quiet) })
		measure(&beside, func() { elsewhere.churn(round, func(string) {}) })
		probes := make(chan time.Duration, 1000)
		probed := 0
		measure(&moving, func() {
			in.churn(round, func(token string) {
				made := time.Now()
				probed++
				go func() { awaitToken(b, c, url, token); probes <- time.Since(made) }()
			})
		})
		for range probed {
			live = append(live, <-probes)
		}
		memory = append(memory, rss(b, g.PID()))
	}
	_, failed := l.take()
	took := swaps(g)
	b.Logf("p99 still %v, beside %v, moving %v", still, beside, moving)
	b.Logf("CPU seconds of the gateway, in that order %.2f", cpu)
	b.Logf("resident %.0f MiB after each round; %d swaps, p99 %v", memory, len(took), percentile(slices.Clone(took), 99))
	for name, list := range map[string][]time.Duration{"still": still, "beside": beside, "moving": moving} {
		slices.Sort(list)
		b.ReportMetric(milliseconds(list[rounds/2]), "ms-p99-"+name)
	}
	b.ReportMetric(milliseconds(percentile(live, 99)), "ms-live-p99")
	b.ReportMetric(float64(failed), "failed")
	b.ReportMetric(memory[rounds-1], "MiB")
}

// churn changes keys, half of them new ones, 50 times a second for 10 s, and
// calls made with the token of every fifth new key.
func (in *installation) churn(round int, made func(token string)) {
	const n = 500
	tick := time.NewTicker(10 * time.Second / n)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		token := fmt.Sprint("new-", round, "-", i)
		in.change(func(s *sluice.Snapshot) {
			s.Keys = slices.Clone(s.Keys)
			at := (round*n + i) * 37 % len(s.Keys)
			if i%2 == 0 {
				k := *s.Keys[at]
				k.Version, k.Weight = k.Version+1, 1+i%9
				s.Keys[at] = &k
				return
			}
			s.Keys = append(s.Keys, in.key(fmt.Sprintf("new-%d-%05d", round, i), token))
		})
		if i%10 == 1 {
			made(token)
		}
	}
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
	if len(took) < 2 {
		b.Fatalf("the log does not tell of swaps:\n%.2000s", g.Stderr())
	}
	b.Logf("the first configuration took %v, swaps under load %v", took[0], took[1:])
	took = took[1:]
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
