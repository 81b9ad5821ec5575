package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// between stands between an agent and the gateway, and notes what passes; the
// wall is its way to everything else, which is closed.
type between struct {
	url, wall string

	mu        sync.Mutex
	exchanges []*exchange
	knocked   []string // hosts beyond the wall
}

// exchange is a request and its answer.
type exchange struct {
	request *http.Request
	body    []byte

	status int
	header http.Header
	answer bytes.Buffer
}

// exchangeKey finds the exchange of a request.
type exchangeKey struct{}

// newBetween stands before the gateway.
func newBetween(t *testing.T, gateway string) *between {
	t.Helper()
	to, err := url.Parse(gateway)
	if err != nil {
		t.Fatal(err)
	}
	b := &between{}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, ModifyResponse: hear,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, b.note(r))
	}))
	t.Cleanup(server.Close)
	wall := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.knocked = append(b.knocked, r.Host)
		http.Error(w, "there is no way out", http.StatusForbidden)
	}))
	t.Cleanup(wall.Close)
	b.url, b.wall = server.URL, wall.URL
	return b
}

// note begins an exchange.
func (b *between) note(r *http.Request) *http.Request {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		body = nil // the agent is gone
	}
	e := &exchange{request: r, body: body}
	b.mu.Lock()
	b.exchanges = append(b.exchanges, e)
	b.mu.Unlock()
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r
}

// hear keeps what the gateway answers.
func hear(resp *http.Response) error {
	e := resp.Request.Context().Value(exchangeKey{}).(*exchange)
	e.status, e.header = resp.StatusCode, resp.Header.Clone()
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(resp.Body, &e.answer), resp.Body}
	return nil
}

// conversations are the exchanges of the work itself, by the script in them.
func (b *between) conversations() (all []*exchange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.exchanges {
		if bytes.Contains(e.body, []byte(strings.Trim(encoded(scriptWord), `"`))) {
			all = append(all, e)
		}
	}
	return all
}

// check tells what must not have happened: refusals, a count of rounds other
// than the script's, a call to somebody else, a provider's secret told.
func (b *between) check(t *testing.T, rounds int) {
	t.Helper()
	done := b.conversations()
	if len(done) != rounds {
		t.Errorf("%d rounds, want %d", len(done), rounds)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, host := range b.knocked {
		t.Errorf("it called %s", host)
	}
	for _, e := range b.exchanges {
		if e.status != http.StatusOK {
			t.Errorf("%s", e)
		}
		for _, secret := range []string{openAIKey, anthropicKey, geminiKey} {
			if strings.Contains(fmt.Sprint(e.header)+e.answer.String(), secret) {
				t.Errorf("a provider's credential came through: %s", e)
			}
		}
	}
	if len(done) == 0 {
		return
	}
	if last := done[len(done)-1].body; !bytes.Contains(last, []byte(strings.TrimSpace(notes))) {
		t.Error("what the agent read never came to the provider")
	}
}

// told lists the exchanges.
func (b *between) told() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var text strings.Builder
	for _, e := range b.exchanges {
		fmt.Fprintln(&text, e)
	}
	return text.String()
}

// String is a line on the exchange.
func (e *exchange) String() string {
	return fmt.Sprintf("%s %s (%d bytes): %d %.500s", e.request.Method, e.request.URL.RequestURI(), len(e.body), e.status, &e.answer)
}
