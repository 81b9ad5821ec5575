package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

// script answers requests in the process, one step after the other, and counts
// them; it lets a test's fake clock run, which a socket would stop.
type script struct {
	mu    sync.Mutex
	steps []func(w http.ResponseWriter, r *http.Request) error
	seen  []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Method+" "+r.URL.Path+" "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if len(s.steps) == 0 {
		return nil, errors.New("more requests than expected")
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	w := httptest.NewRecorder()
	if err := step(w, r); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// says answers with a status, headers and a body.
func says(status int, body string, header ...string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, err := io.WriteString(w, body)
		return err
	}
}

// breaks loses the connection.
func breaks(http.ResponseWriter, *http.Request) error { return errors.New("connection reset") }

func refusal(code sluice.Code) string {
	return `{"error":{"code":"` + string(code) + `","message":"no","details":{"field":"/name","referrers":[1]},"trace_id":"t-1"}}`
}

func scripted(t *testing.T, cfg client.Config, steps ...func(http.ResponseWriter, *http.Request) error) (*client.Client, *script) {
	t.Helper()
	s := &script{steps: steps}
	cfg.BaseURL = "http://sluice.test"
	cfg.HTTPClient = &http.Client{Transport: s}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// TestRetries keeps the client from doing things twice that must happen once,
// from giving up where a second try is safe, and from waiting for ever.
func TestRetries(t *testing.T) {
	const group = `{"name":"g"}`
	busy := says(503, refusal(sluice.CodeUnavailable), "Retry-After", "2")
	get := func(ctx context.Context, c *client.Client) error { _, err := c.Groups().Get(ctx, "", "g"); return err }
	put := func(opts sluice.WriteOptions) func(context.Context, *client.Client) error {
		return func(ctx context.Context, c *client.Client) error {
			_, _, err := c.Groups().Put(ctx, "", "g", sluice.Group{}, opts)
			return err
		}
	}
	create := func(opts sluice.WriteOptions) func(context.Context, *client.Client) error {
		return func(ctx context.Context, c *client.Client) error {
			_, err := c.Groups().Create(ctx, sluice.Group{}, opts)
			return err
		}
	}
	for name, test := range map[string]struct {
		call   func(context.Context, *client.Client) error
		steps  []func(http.ResponseWriter, *http.Request) error
		sent   int
		waited time.Duration
		code   sluice.Code
	}{
		"read after a reset":              {get, steps(breaks, says(200, group)), 2, 100 * time.Millisecond, ""},
		"read, resets for ever":           {get, steps(breaks, breaks, breaks, breaks), 3, 300 * time.Millisecond, sluice.CodeInternal},
		"create after a reset":            {create(sluice.WriteOptions{}), steps(breaks, says(201, group)), 1, 0, sluice.CodeInternal},
		"idempotent create after a reset": {create(sluice.WriteOptions{IdempotencyKey: "k"}), steps(breaks, says(201, group)), 2, 100 * time.Millisecond, ""},
		"put after a reset":               {put(sluice.WriteOptions{}), steps(breaks, says(200, group)), 2, 100 * time.Millisecond, ""},
		"conditional put after a reset":   {put(sluice.WriteOptions{IfMatch: 3}), steps(breaks, says(200, group)), 1, 0, sluice.CodeInternal},
		"create, server busy":             {create(sluice.WriteOptions{}), steps(busy, says(201, group)), 2, 2 * time.Second, ""},
		"server busy for too long":        {get, steps(says(503, refusal(sluice.CodeUnavailable), "Retry-After", "60"), says(200, group)), 1, 0, sluice.CodeUnavailable},
		"server busy for ever":            {get, steps(busy, busy, busy, busy), 3, 4 * time.Second, sluice.CodeUnavailable},
		"locked out":                      {get, steps(says(429, refusal(sluice.CodeLockedOut), "Retry-After", "1"), says(200, group)), 1, 0, sluice.CodeLockedOut},
		"refused":                         {get, steps(says(404, refusal(sluice.CodeNotFound)), says(200, group)), 1, 0, sluice.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := scripted(t, client.Config{Token: "a"}, test.steps...)
				started := time.Now()
				err := test.call(t.Context(), c)
				if sluice.CodeOf(err) != test.code || len(s.seen) != test.sent || time.Since(started) != test.waited {
					t.Errorf("%v after %d requests and %s; want code %q, %d, %s", err, len(s.seen), time.Since(started), test.code, test.sent, test.waited)
				}
			})
		})
	}
}

func steps(list ...func(http.ResponseWriter, *http.Request) error) []func(http.ResponseWriter, *http.Request) error {
	return list
}

// TestErrorsAreStated gives programs the code, the field and the details that
// the server stated, and says plainly when it was no Sluice that answered.
func TestErrorsAreStated(t *testing.T) {
	c, _ := scripted(t, client.Config{Token: "a"}, says(409, refusal(sluice.CodeReferenced)), says(502, "<html>Bad gateway</html>"))
	_, err := c.Groups().Get(t.Context(), "", "g")
	var e *sluice.Error
	if !errors.As(err, &e) || e.Code != sluice.CodeReferenced || e.Field != "/name" || e.Details["referrers"] == nil || e.Details["trace_id"] != "t-1" {
		t.Errorf("got %#v", err)
	}
	_, err = c.Groups().Get(t.Context(), "", "g")
	if errors.As(err, &e) || err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("got %v", err)
	}
}

// TestTokensAreRenewed keeps a long-running program signed in, by the cheapest
// way that still works, and tells it of the tokens it must keep.
func TestTokensAreRenewed(t *testing.T) {
	expired := says(401, refusal(sluice.CodeUnauthorized))
	pair := says(200, `{"access_token":"b","refresh_token":"r2","token_type":"Bearer"}`)
	found := says(200, `{"name":"g"}`)
	for name, test := range map[string]struct {
		cfg   client.Config
		steps []func(http.ResponseWriter, *http.Request) error
		seen  string
		code  sluice.Code
	}{
		"by refresh": {client.Config{Token: "a", RefreshToken: "r"}, steps(expired, pair, found),
			"GET /admin/v1/groups/g a, POST /v1/auth/refresh , GET /admin/v1/groups/g b", ""},
		"by password": {client.Config{Token: "a", RefreshToken: "r", Email: "e", Password: "p"}, steps(expired, expired, pair, found),
			"GET /admin/v1/groups/g a, POST /v1/auth/refresh , POST /v1/auth/token , GET /admin/v1/groups/g b", ""},
		"first by password": {client.Config{Email: "e", Password: "p"}, steps(pair, found),
			"POST /v1/auth/token , GET /admin/v1/groups/g b", ""},
		"not at all": {client.Config{Token: "a"}, steps(expired), "GET /admin/v1/groups/g a", sluice.CodeUnauthorized},
		"refused again": {client.Config{Token: "a", RefreshToken: "r"}, steps(expired, pair, expired),
			"GET /admin/v1/groups/g a, POST /v1/auth/refresh , GET /admin/v1/groups/g b", sluice.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			var kept []sluice.Tokens
			test.cfg.OnTokens = func(tokens sluice.Tokens) { kept = append(kept, tokens) }
			c, s := scripted(t, test.cfg, test.steps...)
			_, err := c.Groups().Get(t.Context(), "", "g")
			if got := strings.Join(s.seen, ", "); got != test.seen || sluice.CodeOf(err) != test.code {
				t.Errorf("%v, requests %s; want %q, %s", err, got, test.code, test.seen)
			}
			if renewed := strings.Contains(test.seen, "auth"); renewed != (len(kept) == 1 && kept[0].RefreshToken == "r2") {
				t.Errorf("told of tokens %v", kept)
			}
		})
	}
}

// TestOneRefreshForAll keeps concurrent calls from using a refresh token twice,
// which would revoke it for all of them.
func TestOneRefreshForAll(t *testing.T) {
	var mu sync.Mutex
	refreshed := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/auth/refresh":
			mu.Lock()
			refreshed++
			mu.Unlock()
			_, _ = io.WriteString(w, `{"access_token":"b","refresh_token":"r2"}`)
		case r.Header.Get("Authorization") == "Bearer b":
			_, _ = io.WriteString(w, `{"name":"g"}`)
		default:
			w.WriteHeader(401)
			_, _ = io.WriteString(w, refusal(sluice.CodeUnauthorized))
		}
	}))
	defer server.Close()
	c, err := client.New(client.Config{BaseURL: server.URL, Token: "a", RefreshToken: "r"})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := c.Groups().Get(t.Context(), "", "g"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if refreshed != 1 {
		t.Errorf("the refresh token was used %d times", refreshed)
	}
}

// TestNewChecksTheAddress makes a misspelt address an error that names it.
func TestNewChecksTheAddress(t *testing.T) {
	for _, address := range []string{"", "localhost:8081", "ftp://x", "http://", "://"} {
		if _, err := client.New(client.Config{BaseURL: address}); sluice.CodeOf(err) != sluice.CodeConfig {
			t.Errorf("%q: %v", address, err)
		}
	}
}
