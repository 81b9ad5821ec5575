package e2e_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/test/process"
)

// kills is how often TestKill kills: 20 times in `make test`, as many as
// SLUICE_TEST_KILLS says in `make faults`.
func kills(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("SLUICE_TEST_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 3
	}
	return 20
}

// TestKillUnderLoad kills the process with SIGKILL at random moments while
// clients write and call. After each restart it must serve, show every write
// that it had acknowledged, and nothing half-written.
func TestKillUnderLoad(t *testing.T) {
	p := process.Start(t, process.Options{})
	p.SetUp(t)
	acked := &journal{models: map[string]int64{}}
	rounds := kills(t)
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		load := startLoad(ctx, t, p, acked, round)
		pause := time.Duration(20+rand.IntN(400)) * time.Millisecond
		time.Sleep(pause)
		p.Kill()
		cancel()
		load.Wait()

		p = process.Start(t, process.Options{Dir: p.Dir})
		verify(t, p, acked, fmt.Sprintf("kill %d of %d, after %s", round+1, rounds, pause))
		if t.Failed() {
			return
		}
	}
	if acked.calls.Load() < int64(rounds) || len(acked.models) < rounds {
		t.Errorf("hardly any load: %d calls, %d objects", acked.calls.Load(), len(acked.models))
	}
	t.Logf("%d kills, %d acknowledged objects, %d acknowledged changes, %d calls", rounds, len(acked.models), acked.changes, acked.calls.Load())
}

// journal is what the server acknowledged: for each model the highest context
// window that a successful write gave it.
type journal struct {
	mu      sync.Mutex
	models  map[string]int64
	changes int
	calls   atomic.Int64
}

func (j *journal) ack(name string, window int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.models[name] = max(j.models[name], window)
	j.changes++
}

// startLoad runs two writers and two callers until ctx ends or the server is
// gone.
func startLoad(ctx context.Context, t *testing.T, p *process.Process, acked *journal, round int) *sync.WaitGroup {
	var load sync.WaitGroup
	for i := range 2 {
		admin := p.SignIn(t)
		load.Go(func() { writeModels(ctx, admin, acked, fmt.Sprintf("m-%d-%d", round, i)) })
		load.Go(func() { call(ctx, p, acked) })
	}
	return &load
}

// writeModels creates objects and changes each twice, noting what was
// acknowledged.
func writeModels(ctx context.Context, admin *client.Client, acked *journal, prefix string) {
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("%s-%d", prefix, n)
		for window := int64(1); window <= 3; window++ {
			m := sluice.Model{Meta: sluice.Meta{Name: name}, ContextWindow: window, MaxOutputTokens: window}
			if _, _, err := admin.Models().Put(ctx, sluice.PlatformTenant, name, m, sluice.WriteOptions{}); err != nil {
				return
			}
			acked.ack(name, window)
		}
	}
}

// shortBody asks for so little that many answers end between two kills.
const shortBody = `{"model":"demo-chat","max_tokens":1,"messages":[{"role":"user","content":"Hello"}]}`

func call(ctx context.Context, p *process.Process, acked *journal) {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, "POST", p.Gateway+"/v1/chat/completions", strings.NewReader(shortBody))
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "Bearer "+p.Key)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == 200 {
			acked.calls.Add(1)
		}
	}
}

// verify checks a restarted process against the journal.
func verify(t *testing.T, p *process.Process, acked *journal, when string) {
	t.Helper()
	if got := chat(t, p, p.Key); got.status != 200 {
		t.Errorf("%s: a call answers %d %s", when, got.status, got.body)
	}
	admin := p.SignIn(t)
	stored := map[string]sluice.Model{}
	for cursor := ""; ; {
		page, err := admin.Models().List(t.Context(), sluice.ListQuery{Tenant: sluice.PlatformTenant, Limit: 500, Cursor: cursor})
		if err != nil {
			t.Fatalf("%s: list: %v", when, err)
		}
		for _, m := range page.Items {
			stored[m.Name] = m
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for name, window := range acked.models {
		if m, ok := stored[name]; !ok || m.ContextWindow < window {
			t.Errorf("%s: %s was acknowledged with %d and is %d (there: %v)", when, name, window, m.ContextWindow, ok)
		}
	}
	for name, m := range stored {
		if strings.HasPrefix(name, "m-") && (m.ContextWindow != m.MaxOutputTokens || m.Version != uint64(m.ContextWindow)) {
			t.Errorf("%s: %s is half-written: %+v", when, name, m)
		}
	}
	if _, err := admin.VerifyAudit(t.Context()); err != nil {
		t.Errorf("%s: the audit log: %v", when, err)
	}
}
