package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

// keyStart begins every key of a client.
const keyStart = "slc_"

// upstream is a scripted provider: it speaks one protocol, refuses what that
// protocol's own servers refuse, and does what the conversation says.
type upstream struct {
	// credential is the only one that it takes, in the header of its protocol.
	header, credential string
	server             *httptest.Server

	mu      sync.Mutex
	refused []string
}

// answer is what a provider has to say to one request.
type answer struct {
	status int
	body   any      // of whole answers, and errors
	events []string // of streams, with their framing
	cut    bool     // the connection breaks behind them
}

// respond answers a request whose body was read.
type respond func(r *http.Request, body []byte) (answer, error)

// newUpstream starts a provider. What it refuses because the request breaks the
// protocol's rules fails the test at its end.
func newUpstream(t *testing.T, header, credential string, fault func(error) any, handlers map[string]respond) *upstream {
	t.Helper()
	u := &upstream{header: header, credential: credential}
	mux := http.NewServeMux()
	for pattern, do := range handlers {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
			var a answer
			if err == nil {
				err = u.admits(r)
			}
			if err == nil {
				a, err = do(r, body)
			}
			if err != nil {
				u.note(r, err, body)
				a = answer{status: http.StatusBadRequest, body: fault(err)}
			}
			a.write(w)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		err := errors.New("there is no such path")
		u.note(r, err, nil)
		answer{status: http.StatusNotFound, body: fault(err)}.write(w)
	})
	u.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		u.server.Close()
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, why := range u.refused {
			t.Errorf("the provider refused: %s", why)
		}
	})
	return u
}

// deliberate marks requests that break the rules on purpose.
const deliberate = "deliberately wrong"

// note remembers a refusal.
func (u *upstream) note(r *http.Request, err error, body []byte) {
	if bytes.Contains(body, []byte(deliberate)) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.refused) < 10 {
		u.refused = append(u.refused, fmt.Sprintf("%s %s: %v\n%.2000s", r.Method, r.URL.Path, err, body))
	}
}

// admits takes the provider's credential in its own header, and no other
// credential anywhere: a client's key must not leave the gateway.
func (u *upstream) admits(r *http.Request) error {
	if got := r.Header.Get(u.header); got != u.credential {
		return fmt.Errorf("the credential in %s is %q", u.header, got)
	}
	for _, other := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key"} {
		if other != u.header && r.Header.Get(other) != "" {
			return fmt.Errorf("%s does not belong here", other)
		}
	}
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, ""), keyStart) {
			return fmt.Errorf("%s holds a client's key", name)
		}
	}
	if r.URL.Query().Has("key") {
		return errors.New("a credential in the query")
	}
	if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("content type %q", r.Header.Get("Content-Type"))
	}
	return nil
}

// write sends the answer: a document, or events each in a write of its own.
func (a answer) write(w http.ResponseWriter) {
	if a.events == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(max(a.status, http.StatusOK))
		_ = json.NewEncoder(w).Encode(a.body) // the client may be gone
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, event := range a.events {
		if _, err := io.WriteString(w, event); err != nil {
			return
		}
		w.(http.Flusher).Flush()
	}
	if a.cut {
		panic(http.ErrAbortHandler) // breaks the connection, as documented
	}
}

// strictly reads a document and refuses members that the protocol does not have.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one document")
	}
	return nil
}

// encoded is a document as events carry it.
func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a literal of this package
	}
	return string(b)
}

// object is short for what documents are made of.
type object = map[string]any

// targets are the providers that the suites reach through Sluice, by the first
// part of their models' names: openai-chat is a model of the provider openai.
type targets struct{ providers []sluice.Provider }

// newTargets starts a scripted provider of each protocol.
func newTargets(t *testing.T) targets {
	t.Helper()
	openai := newOpenAI(t).server.URL + "/v1"
	var g targets
	g.add(sluice.Provider{Meta: named("openai"), Type: "openai", BaseURL: openai, APIKey: openAIKey}, "gpt-5-mini", "text-embedding-3-small")
	g.add(sluice.Provider{Meta: named("responses"), Type: "openai", BaseURL: openai, APIKey: openAIKey,
		Settings: map[string]any{"api": "responses"}}, "gpt-5-mini", "")
	g.add(sluice.Provider{Meta: named("anthropic"), Type: "anthropic", BaseURL: newAnthropic(t).server.URL, APIKey: anthropicKey}, "claude-sonnet-4-5", "")
	g.add(sluice.Provider{Meta: named("gemini"), Type: "gemini", BaseURL: newGemini(t).server.URL + "/v1beta", APIKey: geminiKey}, "gemini-3-pro-preview", "gemini-embedding-001")
	return g
}

func named(name string) sluice.Meta { return sluice.Meta{Name: name, Tenant: sluice.PlatformTenant} }

// add adds a provider, and one more of its kind for each case of a suite in which
// it says "too many requests": it is left alone for a while then.
func (g *targets) add(p sluice.Provider, chat, embed string) {
	serving := func(p sluice.Provider, model, theirs string) sluice.Provider {
		p.Models, p.ModelMap = append(p.Models, model), maps.Clone(p.ModelMap)
		if p.ModelMap == nil {
			p.ModelMap = map[string]string{}
		}
		p.ModelMap[model] = theirs
		return p
	}
	all := serving(p, p.Name+"-chat", chat)
	if embed != "" {
		all = serving(all, p.Name+"-embed", embed)
	}
	g.providers = append(g.providers, all)
	for _, surface := range []string{"chat", "responses", "messages", "generateContent"} {
		for _, kind := range []string{"whole", "stream"} {
			limited := serving(p, p.Name+"-limited-"+surface+"-"+kind, chat)
			limited.Name = strings.ToLower(limited.Models[0])
			g.providers = append(g.providers, limited)
		}
	}
}

// install tells an installation of the providers and their models.
func (g targets) install(t *testing.T, admin *client.Client) {
	t.Helper()
	for _, p := range g.providers {
		if _, err := admin.Providers().Create(t.Context(), p, sluice.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, name := range p.Models {
			model := sluice.Model{Meta: named(name)}
			if _, err := admin.Models().Create(t.Context(), model, sluice.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
