package sluicetest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A harness that cannot be trusted proves nothing about the gateway.
func TestScript(t *testing.T) {
	u := sluicetest.NewUpstream(t, sluicetest.SSE(0, "a", "b"), sluicetest.JSON(418, `{}`, "X-A: b"))
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	for i, want := range []string{"data: a\n\ndata: b\n\n", "{}", "{}"} {
		resp, err := c.Post(u.URL()+"/p?q=1", "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != want || err != nil || i > 0 && (resp.StatusCode != 418 || resp.Header.Get("X-A") != "b") {
			t.Errorf("answer %d: %d %q %v", i, resp.StatusCode, body, err)
		}
	}
	got := u.Requests()
	if len(got) != 3 || got[2].Target != "/p?q=1" || string(got[2].Body) != "body" || u.Connections() != 1 {
		t.Errorf("%d connections, requests %+v", u.Connections(), got)
	}
}

// Without it no test can tell that a hang-up was passed on.
func TestGone(t *testing.T) {
	u := sluicetest.NewUpstream(t, sluicetest.Hang())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", u.URL(), nil)
	if _, err := http.DefaultClient.Do(req); err == nil {
		t.Fatal("a hanging upstream answered")
	}
	select {
	case <-u.Gone():
	case <-time.After(5 * time.Second):
		t.Fatal("the hang-up was not noticed")
	}
}

// The faults have to look like faults to a client.
func TestFaults(t *testing.T) {
	for name, a := range map[string]sluicetest.Answer{
		"reset": sluicetest.Reset(), "reset after head": sluicetest.ResetAfterHead(), "garbage": sluicetest.Garbage(),
		"short": sluicetest.ShortBody("text/plain", "x"), "stream reset": sluicetest.SSEThenReset(0, "a"), "head": sluicetest.EndlessHead(),
	} {
		u := sluicetest.NewUpstream(t, a)
		resp, err := http.Get(u.URL())
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		u.Close()
	}
}
