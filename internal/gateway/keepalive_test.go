package gateway_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A client that gives up on a quiet connection loses an answer that is paid for;
// the sign of life must come between events, and only where a route asks for it.
func TestKeepAlive(t *testing.T) { onEveryTransport(t, testKeepAlive) }

func testKeepAlive(t *testing.T, over transport) {
	f := newFixture(t, over)
	delete(f.snap.Routes[0].Plugins, "probe") // it filters bodies
	f.snap.Routes[0].KeepAliveSeconds = 1
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.SSEThenHang(0, chatEvents[:2]...)), nil)
	f.apply()
	req, _ := http.NewRequest("POST", f.url+"/v1/chat/completions", strings.NewReader(chatBody("m1", `,"stream":true`)))
	req.Header.Set("Authorization", "Bearer "+f.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	lines, signs := bufio.NewScanner(resp.Body), 0
	for last := ""; signs < 2 && lines.Scan(); last = lines.Text() {
		if lines.Text() == ": keep-alive" {
			signs++
			if last != "" {
				t.Errorf("the sign came within an event, behind %q", last)
			}
		}
	}
	resp.Body.Close()
	if signs != 2 {
		t.Errorf("%d signs came", signs)
	}
	if r := f.record(); r.Outcome != sluice.OutcomeClientGone {
		t.Errorf("record %+v", r)
	}
}
