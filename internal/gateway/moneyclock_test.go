package gateway_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A clock that is set while a request runs would lose its charge, take it twice,
// or write nonsense into its record (E-17).
func TestClockIsSetMidStream(t *testing.T) { bothTerms(t, testClockIsSetMidStream) }

func testClockIsSetMidStream(t *testing.T, transport transport, terms func(*sluice.Tenant)) {
	for name, step := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			clock := sluicetest.NewClock(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC))
			m := newMoney(t, transport, setting{now: clock.Now, limits: newAdmission()})
			m.terms(terms)
			m.apply()
			m.topUp(acme, usd(100_000))
			arrived, carryOn := make(chan struct{}), make(chan struct{})
			m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
				close(arrived)
				<-carryOn
				m.till.serve(w, r)
			}, m.till.serve)
			r := m.begin("/v1/chat/completions", chatBody("m1", streamed))
			<-arrived
			clock.Advance(step)
			if err := m.poster.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			close(carryOn)
			if a := r.whole(m); a.status != 200 || a.err != nil {
				t.Errorf("%d %s %v", a.status, a.body, a.err)
			}
			m.ask("") // and who comes after is served
			m.exact()
			for id, s := range m.stories() {
				if s.record.LatencyMS < 0 || s.record.TTFTMS < 0 || len(s.record.Attempts) != 1 || s.record.Attempts[0].LatencyMS < 0 {
					t.Errorf("request %s: record %+v", id, s.record)
				}
			}
		})
	}
}
