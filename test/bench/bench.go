package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// bench is one run of the whole comparison.
type bench struct {
	self, out string
	insert    string
	profiles  string
	budget    time.Duration
	pairs     int
	length    time.Duration
	only      map[string]bool
	peers     []peer
	mock      string
	gwCore    int
	otherCore int
}

// benchMain runs the comparison and reports it.
func benchMain(args []string) error {
	set := flag.NewFlagSet("bench", flag.ExitOnError)
	b := &bench{}
	set.IntVar(&b.pairs, "pairs", 5, "how often each workload runs against each peer")
	set.DurationVar(&b.length, "time", 3*time.Second, "how long one run lasts, at most")
	set.DurationVar(&b.budget, "budget", 9*time.Minute, "how long everything may take; runs are shortened to fit, to 1 s at least")
	set.StringVar(&b.out, "out", "bench-results", "folder for bench.json, bench.md and bench.svg")
	set.StringVar(&b.insert, "insert", "", "a document that takes the table between its bench markers")
	set.StringVar(&b.profiles, "profiles", "", "a folder that takes a CPU profile of every run, by perf; it costs, so such a run is no evidence")
	only := set.String("only", "", "workloads to run, comma-separated; empty is all")
	gateways := set.String("gateways", "wire,sluice,gateway,others", "what to compare with nginx: wire, sluice (serve), gateway (of a split installation), and others that are installed")
	if err := set.Parse(args); err != nil {
		return err
	}
	if runtime.NumCPU() < 2 {
		return errors.New("two cores are needed: one for the gateway, one for the rest")
	}
	b.otherCore = 1
	b.only = names(*only)
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := b.choosePeers(names(*gateways), dir); err != nil {
		return err
	}
	report, err := b.run()
	if err != nil {
		return err
	}
	if err := report.write(b.out); err != nil {
		return err
	}
	if b.insert != "" {
		return insertTable(b.insert, report.markdown())
	}
	return nil
}

func names(list string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			set[name] = true
		}
	}
	return set
}

func (b *bench) choosePeers(gateways map[string]bool, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b.self = self
	nginx, err := nginxPeer()
	if err != nil {
		return err
	}
	b.peers = []peer{nginx}
	if gateways["wire"] {
		b.peers = append(b.peers, wirePeer(self))
	}
	if gateways["sluice"] || gateways["gateway"] {
		binary, err := buildSluice(dir)
		if err != nil {
			return err
		}
		if gateways["sluice"] {
			b.peers = append(b.peers, sluicePeer(binary, dir))
		}
		if redis, err := exec.LookPath("redis-server"); err == nil && gateways["gateway"] {
			b.peers = append(b.peers, gatewayPeer(binary, redis, dir, b.otherCore))
		}
	}
	if gateways["others"] {
		b.peers = append(b.peers, otherPeers()...)
	}
	return nil
}

// chosen are the workloads to run.
func (b *bench) chosen() []workload {
	list := workloads()
	return slices.DeleteFunc(list, func(w workload) bool { return len(b.only) > 0 && !b.only[w.Name] })
}

// fit shortens the runs so that all of them fit into the budget.
func (b *bench) fit(list []workload) {
	const around = 1500 * time.Millisecond // starting, stopping
	closed, rest := 0, time.Duration(0)
	for _, w := range list {
		runs := b.pairs * len(b.peers)
		if w.Rate > 0 {
			runs += b.pairs
		}
		if w.Once {
			rest += time.Duration(runs) * (around + w.Settle + time.Second + w.Lasts)
			continue
		}
		closed += runs
		rest += time.Duration(runs) * around
	}
	if closed > 0 {
		each := (b.budget - rest) / time.Duration(closed) * 4 / 5 // a fifth is warming up
		b.length = max(time.Second, min(b.length, each.Round(100*time.Millisecond)))
	}
}

// run starts the mock, then each workload against every peer in turn, so that a
// noisy minute hits all of them.
func (b *bench) run() (*report, error) {
	mock, err := start(b.otherCore, nil, b.self, "mock")
	if err != nil {
		return nil, err
	}
	defer mock.stop()
	if b.mock, err = mock.line(); err != nil {
		return nil, fmt.Errorf("starting mock: %w", err)
	}
	for _, p := range b.peers {
		if p.prepare == nil {
			continue
		}
		if p.end != nil {
			defer p.end()
		}
		if err := p.prepare(b.mock); err != nil {
			return nil, fmt.Errorf("preparing %s: %w", p.name, err)
		}
	}
	list := b.chosen()
	b.fit(list)
	r := newReport(b)
	if err := b.measureSides(r); err != nil {
		return nil, err
	}
	for _, w := range list {
		for pair := range b.pairs {
			if w.Rate > 0 {
				if err := b.measure(r, w, directPeer()); err != nil {
					return nil, err
				}
			}
			for i := range b.peers { // the order turns with every pair
				p := b.peers[(i+pair)%len(b.peers)]
				if p.name == w.Skips {
					continue
				}
				if err := b.measure(r, w, p); err != nil {
					return nil, err
				}
			}
		}
	}
	return r, nil
}

// measure runs one workload against a fresh process of one peer.
func (b *bench) measure(r *report, w workload, p peer) error {
	s := sample{Workload: w.Name, Peer: p.name}
	addr, k, gateway, dir := b.mock, keys{}, (*process)(nil), ""
	if p.begin != nil {
		var err error
		dir, err = os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if addr, err = freeAddr(); err != nil {
			return err
		}
		if gateway, k, err = p.begin(dir, b.mock, addr, b.gwCore); err != nil {
			return err
		}
		defer gateway.stop()
		if err := awaitAddr(addr); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		s.Idle = gateway.idle(w.Settle)
	}
	if !w.Once {
		if _, err := b.load(w, addr, k.of(w), b.length/4); err != nil { // warm up
			return err
		}
	}
	var before time.Duration
	var peak <-chan memory
	stop := make(chan struct{})
	if gateway != nil {
		if b.profiles != "" {
			end, err := gateway.profile(b.profiles, w.Name+"-"+p.name, b.otherCore)
			if err != nil {
				return err
			}
			defer end()
		}
		before, peak = gateway.cpu(), gateway.peak(stop)
	}
	result, lag, err := b.watched(w, p, dir, func() (loadResult, error) { return b.load(w, addr, k.of(w), b.length) })
	close(stop)
	if err != nil {
		return err
	}
	s.loadResult, s.LagMS = result, lag
	if gateway != nil {
		s.CPU, s.Peak = gateway.cpu()-before, <-peak
	}
	r.add(s)
	fmt.Fprintln(os.Stderr, s.line(w))
	return nil
}

// watched runs the load, and where requests are charged, a look at how far the
// books are behind.
func (b *bench) watched(w workload, p peer, dir string, load func() (loadResult, error)) (loadResult, float64, error) {
	if !w.Limited || p.name != "sluice" {
		result, err := load()
		return result, 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lag, err := watchLag(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return loadResult{}, 0, err
	}
	result, err := load()
	cancel()
	return result, <-lag, err
}

// load runs the load generator once.
func (b *bench) load(w workload, addr, key string, length time.Duration) (loadResult, error) {
	args := []string{"load", "-workload", w.Name, "-addr", addr, "-time", length.String(), "-auth", key}
	proc, err := start(b.otherCore, nil, b.self, args...)
	if err != nil {
		return loadResult{}, err
	}
	var result loadResult
	err = json.NewDecoder(proc.out).Decode(&result)
	proc.cmd.Wait()
	if err != nil {
		return result, fmt.Errorf("load %s on %s: %w", w.Name, addr, err)
	}
	return result, nil
}
