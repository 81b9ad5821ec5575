package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A clock that is set while a request runs would charge it twice, or never, or
// give it a time below zero (E-17). The clock is injected and has no monotonic
// reading, so a step ahead ends holds early, as it does over a restart; in one
// process the operating system's clock cannot do that.
func TestClockIsSet(t *testing.T) { onEveryTransport(t, testClockIsSet) }

func testClockIsSet(t *testing.T, over transport) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) { clockIsSet(t, over, step) })
	}
}

func clockIsSet(t *testing.T, over transport, step time.Duration) {
	clock := sluicetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	// Limits by the minute go by the monotonic reading, which this clock lacks.
	m := newMoney(t, over, setting{now: clock.Now, limits: link.NewLocal(link.LocalConfig{Now: time.Now})})
	m.topUp(acme, usd(1_000_000))
	goOn := make(chan struct{})
	m.up.Script(func(w *sluicetest.Wire, _ sluicetest.Request) {
		events := chatStream(m.till.next().usage())
		w.Print(sluicetest.SSEHead)
		for i, e := range events {
			w.Chunk([]byte("data: " + e + "\n\n"))
			if i == 1 {
				<-goOn
			}
		}
		w.Print("0\r\n\r\n")
	}, m.till.serve)
	r := m.begin("/v1/chat/completions", chatBody("m1", streamed))
	m.eventually("the stream has begun", func() bool { _, body, _ := r.now(); return strings.Contains(body, "chat.completion.chunk") })
	clock.Advance(step)
	if err := m.poster.Expire(context.Background()); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if a := r.whole(m); a.status != 200 || !strings.Contains(a.body, "[DONE]") {
		t.Errorf("%d %s %v", a.status, a.body, a.err)
	}
	m.ask("")
	m.exact()
	page, err := m.db.Records(context.Background(), sluice.RecordQuery{Limit: 10})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%d records, %v", len(page.Items), err)
	}
	for _, rec := range page.Items {
		if rec.LatencyMS < 0 || rec.TTFTMS < 0 {
			t.Errorf("a latency of %d ms, %d ms to the first token", rec.LatencyMS, rec.TTFTMS)
		}
	}
}
