package link_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// planeToken is one that passes.
const planeToken = "5f0e7c1d9a3b48266d1f02a7c4e98b30"

// serve puts a handler behind a real listener.
func serve(t testing.TB, h http.Handler, err error) *httptest.Server {
	t.Helper()
	must(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// TestEventsOverHTTP runs the Events suite across a socket.
func TestEventsOverHTTP(t *testing.T) {
	testEvents(t, func(l *ledger) sluice.Events {
		h, err := link.EventsHandler(link.NewIngest(l), planeToken)
		s := serve(t, h, err)
		c, err := link.NewEventsClient(s.URL, planeToken, nil)
		must(t, err)
		return c
	})
}

// Losing this means that records are lost or counted twice when control dies
// after its commit and before its answer.
func TestLostAnswersAreRepeated(t *testing.T) {
	l := &ledger{rows: map[string]sluice.Record{}}
	h, err := link.EventsHandler(link.NewIngest(l), planeToken)
	must(t, err)
	calls := 0
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls%2 == 1 {
			h.ServeHTTP(httptest.NewRecorder(), r) // committed, and the answer is lost
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}), nil)
	c, err := link.NewEventsClient(s.URL, planeToken, nil)
	must(t, err)
	for i := range 3 {
		position, err := c.Publish(t.Context(), []sluice.Record{{ID: fmt.Sprint("a", i)}, {ID: fmt.Sprint("b", i)}})
		if err != nil || position != sluice.Position(2*(i+1)) {
			t.Errorf("position %d, %v", position, err)
		}
	}
	if len(l.rows) != 6 || c.Rejected() != 0 {
		t.Errorf("%d records, %d rejected", len(l.rows), c.Rejected())
	}
}

// Losing this means that one record which control never takes holds up all
// others of its gateway for ever.
func TestImpossibleRecordsArePassedOver(t *testing.T) {
	l := &ledger{rows: map[string]sluice.Record{}}
	h, err := link.EventsHandler(link.NewIngest(l), planeToken)
	s := serve(t, h, err)
	c, err := link.NewEventsClient(s.URL, planeToken, nil)
	must(t, err)
	batch := []sluice.Record{{ID: "1"}, {ID: ""}, {ID: "2"}, {ID: "3", Path: strings.Repeat("x", 9<<20)}, {ID: "4"}}
	position, err := c.Publish(t.Context(), batch)
	if err != nil || position != 3 || len(l.rows) != 3 || c.Rejected() != 2 {
		t.Errorf("position %d, %v, %d records, %d rejected", position, err, len(l.rows), c.Rejected())
	}
}

// Losing this means that somebody without the token writes records, or that an
// operator with a wrong one has to guess what is wrong.
func TestPlaneToken(t *testing.T) {
	for _, bad := range []string{"", "changeme", "changeme-changeme-changeme", "default-sluice-plane-token", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "short1234"} {
		if _, err := link.EventsHandler(link.NewIngest(&ledger{}), bad); sluice.CodeOf(err) != sluice.CodeConfig || !strings.Contains(err.Error(), "SLUICE_PLANE_TOKEN") {
			t.Errorf("token %q is taken: %v", bad, err)
		}
		if _, err := link.NewStatusClient("http://127.0.0.1:1", bad, nil); sluice.CodeOf(err) != sluice.CodeConfig {
			t.Errorf("token %q is taken by a client: %v", bad, err)
		}
	}
	must(t, link.CheckPlaneToken(planeToken))
	h, err := link.EventsHandler(link.NewIngest(&ledger{rows: map[string]sluice.Record{}}), planeToken)
	s := serve(t, h, err)
	for _, c := range []struct {
		name, method, authorization, body string
		status                            int
		code                              sluice.Code
	}{
		{"none", "POST", "", "{}", 401, sluice.CodeUnauthorized},
		{"wrong", "POST", "Bearer " + strings.Repeat("0", 32), "{}", 401, sluice.CodeUnauthorized},
		{"a prefix", "POST", "Bearer " + planeToken[:31], "{}", 401, sluice.CodeUnauthorized},
		{"basic", "POST", "Basic " + planeToken, "{}", 401, sluice.CodeUnauthorized},
		{"reading", "GET", "Bearer " + planeToken, "", 405, sluice.CodeMethodNotAllowed},
		{"no JSON", "POST", "Bearer " + planeToken, "{", 400, sluice.CodeInvalidRequest},
		{"another shape", "POST", "Bearer " + planeToken, `{"records":[{"status":"x"}]}`, 400, sluice.CodeInvalidRequest},
		{"oversize", "POST", "Bearer " + planeToken, strings.Repeat(" ", 9<<20), 413, sluice.CodeTooLarge},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL, strings.NewReader(c.body))
		must(t, err)
		req.Header.Set("Authorization", c.authorization)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		var e struct {
			Error struct {
				Code    sluice.Code
				Message string
			}
		}
		if err := json.Unmarshal(b, &e); err != nil || res.StatusCode != c.status || e.Error.Code != c.code || e.Error.Message == "" || strings.Contains(string(b), planeToken) {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, b)
		}
	}
	c, err := link.NewEventsClient(s.URL, planeToken+"x", nil)
	must(t, err)
	if _, err := c.Publish(t.Context(), []sluice.Record{{ID: "1"}}); sluice.CodeOf(err) != sluice.CodeUnauthorized || !strings.Contains(err.Error(), "SLUICE_PLANE_TOKEN") {
		t.Errorf("a wrong token: %v", err)
	}
}

// Losing this means that the console does not see gateways of other machines.
func TestStatusOverHTTP(t *testing.T) {
	board := link.NewStatusBoard()
	h, err := link.StatusHandler(board, planeToken)
	s := serve(t, h, err)
	c, err := link.NewStatusClient(s.URL, planeToken, nil)
	must(t, err)
	at := time.Unix(1_700_000_000, 0)
	other := link.NewStatusBoard()
	tee := link.StatusTee{c, other}
	reported := sluice.JournalStatus{Last: "1:9", Synced: "1:8", Shipped: "1:7", WaitingMS: 1200, Bytes: 4096, Failing: "no space"}
	must(t, tee.Report(t.Context(), sluice.GatewayStatus{Gateway: "g1", Revision: 7, KeysUsed: map[uint64]time.Time{4: at}, Journal: &reported}))
	said := reported
	reported.Failing = "changed behind its back"
	for _, b := range []*link.StatusBoard{board, other} {
		if list := b.Gateways(); len(list) != 1 || list[0].Revision != 7 || list[0].Journal == nil || *list[0].Journal != said {
			t.Errorf("gateways %+v", list)
		}
	}
	if used := board.TakeKeysUsed(); !used[4].Equal(at) {
		t.Errorf("keys used %v", used)
	}
	s.Close()
	if err := tee.Report(t.Context(), sluice.GatewayStatus{Gateway: "g1", Revision: 8}); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("control is gone: %v", err)
	}
	if list := other.Gateways(); list[0].Revision != 8 {
		t.Error("one sink's failure kept the status from the other")
	}
}

// logSink keeps lines and can be broken or slow.
type logSink struct {
	mu     sync.Mutex
	lines  []string
	sizes  []int
	broken error
}

func (s *logSink) InsertAccessLogs(_ context.Context, batch []link.AccessLog) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	s.sizes = append(s.sizes, len(batch))
	for _, l := range batch {
		s.lines = append(s.lines, string(l.Line))
	}
	return nil
}

// logs posts a body as a peer would and returns the answer.
func postLogs(a *link.AccessLogs, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/logs", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+planeToken)
	a.Handler().ServeHTTP(w, r)
	return w
}

// Losing this means that access logs are dropped in silence, stored one by one,
// or held back for long.
func TestAccessLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &logSink{}
		a, err := link.NewAccessLogs(link.AccessLogConfig{Sink: sink, PlaneToken: planeToken, Queue: 25, Log: quiet})
		must(t, err)
		post := func(from, n int, status int) {
			t.Helper()
			list := make([]string, n)
			for i := range list {
				list[i] = fmt.Sprintf(`{"n":%d}`, from+i)
			}
			if w := postLogs(a, "["+strings.Join(list, ",")+"]"); w.Code != status {
				t.Errorf("%d lines: %d %s", n, w.Code, w.Body)
			} else if status == 503 && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		post(0, 20, 202)
		post(20, 6, 503) // all or nothing
		post(20, 5, 202)
		post(25, 1, 503)
		post(0, 26, 413)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); a.Run(ctx) }()
		synctest.Wait()
		if fmt.Sprint(sink.sizes) != "[10 10]" {
			t.Errorf("batches %v before the flush interval", sink.sizes)
		}
		time.Sleep(1001 * time.Millisecond)
		synctest.Wait()
		if fmt.Sprint(sink.sizes) != "[10 10 5]" {
			t.Errorf("batches %v after it", sink.sizes)
		}
		sink.mu.Lock()
		sink.broken = errors.New("disk is gone")
		sink.mu.Unlock()
		if w := postLogs(a, `{"n":25}`); w.Code != 202 {
			t.Errorf("one line: %d %s", w.Code, w.Body)
		}
		post(26, 11, 202)
		time.Sleep(3 * time.Second)
		sink.mu.Lock()
		sink.broken = nil
		sink.mu.Unlock()
		cancel() // SIGTERM while the sink was away: drained all the same
		<-done
		if len(sink.lines) != 37 || sink.lines[36] != `{"n":36}` || a.Lost() != 0 || a.Queued() != 0 {
			t.Errorf("%d lines, %d lost, %d queued", len(sink.lines), a.Lost(), a.Queued())
		}
		post(40, 1, 503)
	})
}

// Losing this means that a process never ends because its store is gone, or
// that it loses lines and does not say so.
func TestAccessLogsDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := link.NewAccessLogs(link.AccessLogConfig{Sink: &logSink{broken: errors.New("gone")}, PlaneToken: planeToken, Log: quiet})
		must(t, err)
		postLogs(a, `[{"a":1},{"a":2}]`)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		a.Run(ctx)
		if took := time.Since(start); took > 16*time.Second || a.Lost() != 2 {
			t.Errorf("ended after %s, %d lost", took, a.Lost())
		}
	})
}

// Losing this means that a faulty sender fills the store with what is no log.
func TestFaultyAccessLogs(t *testing.T) {
	a, err := link.NewAccessLogs(link.AccessLogConfig{Sink: &logSink{}, PlaneToken: planeToken})
	must(t, err)
	for body, status := range map[string]int{
		`1`: 400, `"x"`: 400, `[1]`: 400, `{`: 400, ``: 400, `[{}`: 400, `[]`: 202, `{}`: 202,
		`{"x":"` + strings.Repeat("x", 70_000) + `"}`: 413,
	} {
		if w := postLogs(a, body); w.Code != status {
			t.Errorf("%.20s: %d %s", body, w.Code, w.Body)
		}
	}
	if _, err := link.NewAccessLogs(link.AccessLogConfig{}); sluice.CodeOf(err) != sluice.CodeConfig {
		t.Errorf("without a token: %v", err)
	}
}
