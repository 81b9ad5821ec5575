package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// hangUp sends a chat request and goes away after the first bytes, or after a
// moment when none are to be expected.
func (f *fixture) hangUp(extra string, afterFirst bool) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "POST", f.url+"/v1/chat/completions", strings.NewReader(chatBody("m1", extra)))
	req.Header.Set("Authorization", "Bearer "+f.token)
	req.Header.Set("Content-Type", "application/json")
	if !afterFirst {
		time.AfterFunc(50*time.Millisecond, cancel)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 10)); err != nil {
		f.t.Fatalf("first bytes: %v", err)
	}
	cancel()
}

// A client that hangs up must stop the target at once, or its answer is paid for
// by nobody; what was delivered is still recorded and settled.
func TestHangUp(t *testing.T) { onEveryTransport(t, testHangUp) }

func testHangUp(t *testing.T, over transport) {
	for name, c := range map[string]struct {
		answer     sluicetest.Answer
		extra      string
		afterFirst bool
	}{
		"before the head":  {sluicetest.Hang(), "", false},
		"within a stream":  {sluicetest.SSEThenHang(0, chatEvents[:2]...), `,"stream":true`, true},
		"without an event": {sluicetest.SSEThenHang(0), `,"stream":true`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, over)
			u := sluicetest.NewUpstream(t, c.answer)
			f.addProvider("p1", u, nil)
			f.apply()
			f.hangUp(c.extra, c.afterFirst)
			start := time.Now()
			select {
			case <-u.Gone():
			case <-time.After(patience):
				t.Fatal("the target was not told")
			}
			if d := time.Since(start); d > time.Second {
				t.Errorf("the target was told after %v", d)
			}
			r := f.record()
			if r.Outcome != sluice.OutcomeClientGone || r.Code != sluice.CodeClientGone || len(r.Attempts) != 1 {
				t.Errorf("record %+v", r)
			}
			if c.afterFirst && (r.Usage.Output == 0 || f.admission.settled[r.ID] == 0) {
				t.Errorf("what was delivered is not accounted: %+v", r)
			}
		})
	}
}

// Every way to end leaves exactly one record and settles the claims, also a
// fault of a plugin or of our own.
func TestRecordInEveryEnding(t *testing.T) { onEveryTransport(t, testRecordInEveryEnding) }

func testRecordInEveryEnding(t *testing.T, over transport) {
	for name, c := range map[string]struct {
		answer  sluicetest.Answer
		probe   string
		extra   string
		outcome sluice.Outcome
		status  int
	}{
		"complete":              {sluicetest.JSON(200, wholeChat), `{}`, "", sluice.OutcomeComplete, 200},
		"plugin refuses":        {sluicetest.Hang(), `{"refuse":true}`, "", sluice.OutcomeRefused, 403},
		"plugin answers":        {sluicetest.Hang(), `{"respond":true}`, "", sluice.OutcomeComplete, 203},
		"panic in access":       {sluicetest.Hang(), `{"panic":"access"}`, "", sluice.OutcomeInternal, 500},
		"panic in header":       {sluicetest.JSON(200, wholeChat), `{"panic":"header"}`, "", sluice.OutcomeInternal, 500},
		"panic in body":         {sluicetest.JSON(200, wholeChat), `{"panic":"body"}`, "", sluice.OutcomeInternal, 500},
		"no answer":             {sluicetest.Reset(), `{}`, "", sluice.OutcomeError, 502},
		"timeout":               {sluicetest.Hang(), `{}`, "", sluice.OutcomeTimeout, 504},
		"silence in the stream": {sluicetest.SSEThenHang(0, chatEvents[:2]...), `{}`, `,"stream":true`, sluice.OutcomeTimeout, 200},
		"broken stream":         {sluicetest.SSEThenReset(0, chatEvents[:2]...), `{}`, `,"stream":true`, sluice.OutcomeIncomplete, 200},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, over, func(g *gateway.Config, _ *limits) {
				g.Timeouts = sluice.Timeouts{FirstByteMS: 200, IdleMS: 200}
			})
			f.snap.Routes[0].Plugins["probe"] = json.RawMessage(c.probe)
			f.addProvider("p1", sluicetest.NewUpstream(t, c.answer), nil)
			f.apply()
			a := f.chat(c.extra)
			r := f.record()
			if a.status != c.status || r.Status != c.status || r.Outcome != c.outcome || r.ID != a.header.Get("X-Request-Id") {
				t.Errorf("%d %s, record %+v", a.status, a.body, r)
			}
			if n := strings.Count(f.seen.take(), "log:"+string(c.outcome)); n != 1 {
				t.Errorf("the log phase ran %d times", n)
			}
			f.admission.mu.Lock()
			defer f.admission.mu.Unlock()
			if _, settled := f.admission.settled[r.ID]; len(f.admission.claims) > 0 && settled == f.admission.released[r.ID] {
				t.Error("the claims were not settled or released exactly once")
			}
		})
	}
}

// A fault of the gateway's own code must not take the process or the books down.
func TestPanicOfOurOwn(t *testing.T) { onEveryTransport(t, testPanicOfOurOwn) }

func testPanicOfOurOwn(t *testing.T, over transport) {
	f := newFixture(t, over, func(g *gateway.Config, _ *limits) { g.Outbound = panicking{} })
	f.addProvider("p1", sluicetest.NewUpstream(t), nil)
	f.apply()
	if a := f.chat(""); a.status != 500 || a.errorCode() != sluice.CodeInternal {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r := f.record(); r.Outcome != sluice.OutcomeInternal || !f.admission.released[r.ID] {
		t.Errorf("record %+v", r)
	}
}

type panicking struct{}

// Do implements sluice.Outbound.
func (panicking) Do(*sluice.Call) (sluice.Stream, error) { panic("outbound") }

// Plugins may answer, replace the request and change the answer; each has to
// reach the wire.
func TestPluginsChangeThings(t *testing.T) { onEveryTransport(t, testPluginsChangeThings) }

func testPluginsChangeThings(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.Text(200, "quiet"))
	p := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", p, nil)
	f.add(&sluice.Model{Meta: meta("platform", "m2")})
	f.addService(func(r *sluice.Route, _ *sluice.Upstream) { r.Plugins["probe"] = json.RawMessage(`{"upper":true}`) }, u)
	f.snap.Routes[0].Plugins["probe"] = json.RawMessage(`{"set_body":` + jsonString(chatBody("m2", "")) + `}`)
	f.apply()
	if a := f.do("GET", "/svc/x", ""); a.body != "QUIET" {
		t.Errorf("%q", a.body)
	}
	f.chat("")
	if got := string(p.Requests()[0].Body); !strings.Contains(got, `"m2"`) {
		t.Errorf("the provider got %s", got)
	}
	for _, r := range f.records(2) {
		if r.Surface == "openai" && r.Model != "m2" {
			t.Errorf("record says model %q", r.Model)
		}
	}
}

func jsonString(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// A key's and a group's plugins take the place of the route's.
func TestConsumerPlugins(t *testing.T) { onEveryTransport(t, testConsumerPlugins) }

func testConsumerPlugins(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.addService(nil, sluicetest.NewUpstream(t))
	special := f.addKey("acme", "special", func(k *sluice.Key) { k.Plugins = pluginSet("probe", `{"tag":"-key"}`) })
	f.snap.Groups[0].Plugins = pluginSet("probe", `{"tag":"-group"}`)
	f.apply()
	for token, want := range map[string]string{f.token: "seen-group", special: "seen-key"} {
		for range 2 {
			if got := f.do("GET", "/svc/x", "", "Authorization: Bearer "+token).header.Get("X-Probe"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if got := f.do("GET", "/svc/x", "", "Authorization: Bearer nobody").header.Get("X-Probe"); got != "seen" {
		t.Errorf("a stranger met %q", got)
	}
}

// The head of a stream must not wait for its first event, and events must not
// wait for each other.
func TestStreamsAreNotBuffered(t *testing.T) { onEveryTransport(t, testStreamsAreNotBuffered) }

func testStreamsAreNotBuffered(t *testing.T, over transport) {
	f := newFixture(t, over)
	next := make(chan struct{})
	u := sluicetest.NewUpstream(t, func(w *sluicetest.Wire, _ sluicetest.Request) {
		w.Print(sluicetest.SSEHead)
		for range 3 {
			<-next
			w.Chunk([]byte("data: tick\n\n"))
		}
		w.Print("0\r\n\r\n")
	})
	f.addService(func(r *sluice.Route, _ *sluice.Upstream) { r.Plugins = nil }, u)
	f.apply()
	resp, err := f.client.Get(f.url + "/svc/x")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for range 3 {
		next <- struct{}{}
		if line, err := r.ReadString('\n'); line != "data: tick\n" || err != nil {
			t.Fatalf("%q %v", line, err)
		}
		r.ReadString('\n')
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
}

// A slow reader must make the target wait instead of filling the memory, and be
// cut off in the end.
func TestSlowReader(t *testing.T) { onEveryTransport(t, testSlowReader) }

func testSlowReader(t *testing.T, over transport) {
	f := newFixture(t, over, func(_ *gateway.Config, l *limits) { l.write = 300 * time.Millisecond })
	f.addService(nil, sluicetest.NewUpstream(t, sluicetest.Huge(1<<30)))
	f.apply()
	before := heap()
	req, _ := http.NewRequest("GET", f.url+"/svc/x", nil)
	req.Header.Set("Authorization", "Bearer "+f.token)
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := f.record() // although nothing was read
	if r.Outcome != sluice.OutcomeClientGone || r.BytesOut > 64<<20 {
		t.Errorf("record %+v", r)
	}
	if grown := int64(heap()) - int64(before); grown > 16<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}
