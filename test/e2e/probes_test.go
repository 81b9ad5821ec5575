package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice/test/process"
)

// probeEvery is how often a gateway is called: light load, all the time.
const probeEvery = 20 * time.Millisecond

// probes are calls with one key that never stop: whoever fails one has lost a
// request of a customer.
type probes struct {
	calls, failed atomic.Int64
	stop          func() // once or more often
	stopped       chan struct{}
	running       sync.WaitGroup
}

// startProbes calls each gateway until [probes.end], at the latest until the test's.
func startProbes(t *testing.T, key string, gateways ...*process.Process) *probes {
	t.Helper()
	p := &probes{stopped: make(chan struct{})}
	p.stop = sync.OnceFunc(func() { close(p.stopped) })
	t.Cleanup(func() { p.end() }) // of a test that failed before
	for _, g := range gateways {
		p.running.Go(func() { p.run(t, g.Gateway, key) })
	}
	return p
}

func (p *probes) run(t *testing.T, gateway, key string) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stopped:
			return
		case <-tick.C:
		}
		p.calls.Add(1)
		if why := probe(gateway, key); why != "" {
			if p.failed.Add(1) <= 5 {
				t.Logf("failed: %s", why)
			}
		}
	}
}

// end waits for the last calls.
func (p *probes) end() (calls, failed int64) {
	p.stop()
	p.running.Wait()
	return p.calls.Load(), p.failed.Load()
}

// probeClient gives up on an answer that no customer would wait for.
var probeClient = &http.Client{Timeout: 5 * time.Second}

// probe makes one call and says what was wrong with it.
func probe(gateway, key string) string {
	req, err := http.NewRequest("POST", gateway+"/v1/chat/completions", strings.NewReader(shortBody))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := probeClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s %v %s", resp.Status, err, body)
	}
	return ""
}
