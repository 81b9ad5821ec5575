package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// loadResult is what a load process reports on its standard output.
type loadResult struct {
	Requests int64   `json:"requests"`
	Events   int64   `json:"events"`
	Errors   int64   `json:"errors"`
	Error    string  `json:"error,omitempty"`
	Seconds  float64 `json:"seconds"`
	P50US    float64 `json:"p50_us"`
	P99US    float64 `json:"p99_us"`
}

// loadMain is the load generator: it runs one workload against one address.
func loadMain(args []string) error {
	set := flag.NewFlagSet("load", flag.ExitOnError)
	name := set.String("workload", "plain", "which workload")
	addr := set.String("addr", "", "host:port to ask")
	auth := set.String("auth", "", "key to send")
	length := set.Duration("time", time.Second, "for how long")
	if err := set.Parse(args); err != nil {
		return err
	}
	for _, w := range workloads() {
		if w.Name == *name {
			l := &load{workload: w, addr: *addr, auth: *auth, length: *length}
			return json.NewEncoder(os.Stdout).Encode(l.run())
		}
	}
	return fmt.Errorf("no workload %q", *name)
}

// load is one run of a workload.
type load struct {
	workload
	addr, auth string
	length     time.Duration
	pool       *wire.Pool
	start      time.Time

	requests, events, errors atomic.Int64
	next                     atomic.Int64

	mu    sync.Mutex
	first string
	times []time.Duration
}

func (l *load) run() loadResult {
	l.pool = wire.NewPool(wire.PoolConfig{Dial: (&net.Dialer{}).DialContext, MaxIdlePerHost: l.Clients})
	defer l.pool.Close()
	var wg sync.WaitGroup
	l.start = time.Now()
	for i := range l.Clients {
		wg.Go(func() { l.client(i) })
	}
	wg.Wait()
	took := time.Since(l.start)
	slices.Sort(l.times)
	r := loadResult{Requests: l.requests.Load(), Events: l.events.Load(), Errors: l.errors.Load(), Error: l.first, Seconds: took.Seconds()}
	if n := len(l.times); n > 0 {
		r.P50US = float64(l.times[n/2]) / 1e3
		r.P99US = float64(l.times[n*99/100]) / 1e3
	}
	return r
}

// client asks until the time is over; the latencies of an open loop count from
// when a request was due, so that a slow gateway can not hide its queue.
func (l *load) client(i int) {
	if l.Once {
		time.Sleep(time.Duration(i) * time.Second / time.Duration(l.Clients)) // arrivals spread over a second
		l.ask(time.Now(), nil)
		return
	}
	var times []time.Duration
	for {
		due := time.Now()
		if l.Rate > 0 {
			due = l.start.Add(time.Duration(l.next.Add(1)) * time.Second / time.Duration(l.Rate))
			time.Sleep(time.Until(due))
		}
		if due.Sub(l.start) > l.length {
			break
		}
		l.ask(due, &times)
	}
	l.mu.Lock()
	l.times = append(l.times, times...)
	l.mu.Unlock()
}

// ask makes one request and checks its answer.
func (l *load) ask(due time.Time, times *[]time.Duration) {
	events, err := l.exchange()
	if err != nil {
		l.errors.Add(1)
		l.mu.Lock()
		l.first = err.Error()
		l.mu.Unlock()
		return
	}
	l.requests.Add(1)
	l.events.Add(int64(events))
	if times != nil {
		*times = append(*times, time.Since(due))
	}
}

func (l *load) exchange() (events int, err error) {
	call := &sluice.Call{
		Scheme: "http", Addr: l.addr, Method: "POST", Target: l.Path, Host: "bench.test",
		Body: [][]byte{[]byte(l.Body)}, Connect: 10 * time.Second, FirstByte: 30 * time.Second, Idle: 30 * time.Second, Replayable: true,
	}
	call.Fields.Add("Content-Type", "application/json")
	call.Fields.Add("User-Agent", "bench")
	call.Fields.Add("Accept", "*/*")
	if l.auth != "" {
		call.Fields.Add("Authorization", "Bearer "+l.auth)
	}
	s, err := l.pool.Do(call)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	length, needed := 0, l.Needs == ""
	var seen []byte // the last bytes, while something is still needed
	status := s.Head().Status
	var head []byte
	var count eventCounter
	for {
		b, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		if status != 200 {
			head = append(head, b...)
		}
		length += len(b)
		if !needed {
			seen = append(seen, b...)
			needed = bytes.Contains(seen, []byte(l.Needs))
			seen = seen[max(0, len(seen)-len(l.Needs)):]
		}
		count.add(b)
	}
	switch {
	case status != 200:
		return 0, fmt.Errorf("status %d: %.300s", status, head)
	case l.Events > 0 && count.events < l.Events-1: // a gateway may keep a usage event back that nobody asked for
		return 0, fmt.Errorf("%d of %d events", count.events, l.Events)
	case !needed:
		return 0, fmt.Errorf("%d bytes without %q", length, l.Needs)
	case l.Events == 0 && l.Needs == "" && length != l.Answer:
		return 0, fmt.Errorf("%d of %d bytes", length, l.Answer)
	}
	return l.Events, nil
}
