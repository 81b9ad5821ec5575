package translate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluicegate/sluice"
)

// obj and list make JSON.
type (
	obj  = map[string]any
	list = []any
)

// js is the JSON of a value, without the escapes that no provider makes.
func js(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// protocol is the API of a provider: what it refuses, and its answers' shapes.
type protocol interface {
	// hear checks a request as the provider does and says what it holds.
	hear(h *heard, r *http.Request, body []byte)
	// tells is what the protocol can tell of an answer to what was heard.
	tells(h *heard, s said) said
	// whole is the document of an answer.
	whole(s said) string
	// frames are the events of a streamed one, in the provider's own framing;
	// content is the index of the first that holds some.
	frames(s said) (events []string, content int)
	// failure is the document of an error; with event it is framed.
	failure(message string, event bool) string
	// path is how the protocol's paths end or what they hold.
	credential() string
}

// heard is a request as its provider understood it.
type heard struct {
	model   string
	stream  bool
	system  string
	prompts []string
	images  int
	tools   []string
	calls   []call
	results []heardResult
	schema  string
	stops   []string
	thinks  bool
	// shows tells that thoughts were asked for, packs that sealed ones were.
	shows, packs bool
	// signature and thought are what came back of the first round.
	signature, thought string
	// wrong is what the provider refuses.
	wrong []string
}

type heardResult struct {
	id, text string
	images   int
}

// refuse notes something that the provider does not accept.
func (h *heard) refuse(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// strictly decodes JSON into to, whose members are all that there are.
func (h *heard) strictly(raw []byte, to any) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		h.refuse("%v in %.200s", err, raw)
		return false
	}
	return true
}

// told is one request with what became of it.
type told struct {
	*heard
	scene *scene
	round int
	body  string
	said  said
	leaks []string
}

// upstream is a provider on a listener of its own.
type upstream struct {
	protocol
	name, kind      string
	settings        map[string]any
	usual, thinking string
	secret          string
	url             string
	mu              sync.Mutex
	log             []told
	clientToken     func() string
}

// secretBad opens the account whose target is broken.
const secretBad = "-broken"

// start listens until the test ends.
func (u *upstream) start(t testing.TB) {
	u.secret = "sk-upstream-credential-of-" + u.name
	server := httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(server.Close)
	u.url = server.URL
}

// base is the URL that a provider object names.
func (u *upstream) base() string {
	if u.credential() == "Authorization" {
		return u.url + "/v1"
	}
	return u.url
}

// account is a provider object that serves models by the upstream's own names.
func (u *upstream) account(name, secret string, priority int, models map[string]string) *sluice.Provider {
	p := &sluice.Provider{Type: u.kind, BaseURL: u.base(), APIKey: secret, Priority: priority, Settings: u.settings, ModelMap: models}
	p.Name = name
	for model := range models {
		p.Models = append(p.Models, model)
	}
	slices.Sort(p.Models)
	return p
}

// take returns what was heard since the last time.
func (u *upstream) take() []told {
	u.mu.Lock()
	defer u.mu.Unlock()
	log := u.log
	u.log = nil
	return log
}

// serve plays the scene that the request names.
func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h := &heard{}
	u.hear(h, r, body)
	x := told{heard: h, scene: sceneOf(string(body)), round: 1, body: string(body), leaks: u.leaks(r, body)}
	if x.scene == nil {
		h.refuse("no scene in %.300s", body)
	}
	if len(h.results) > 0 {
		x.round = 2
	}
	if len(h.wrong) == 0 {
		h.compare(x.scene, x.round)
	}
	if len(h.wrong) == 0 {
		says := x.scene.says
		if x.round == 2 {
			says = x.scene.then
		}
		x.said = u.tells(h, says)
	}
	u.mu.Lock()
	u.log = append(u.log, x)
	u.mu.Unlock()
	u.play(w, r, &x)
}

// leaks looks for what must never leave the gateway, and for a credential in any
// field but the provider's own.
func (u *upstream) leaks(r *http.Request, body []byte) (found []string) {
	allowed := []string{"Content-Type", "Accept", "Accept-Encoding", "Content-Length", "User-Agent", "Anthropic-Version", "Anthropic-Beta", u.credential()}
	for name, values := range r.Header {
		text := strings.Join(values, ",")
		if !slices.Contains(allowed, name) {
			found = append(found, "field "+name)
		}
		if strings.Contains(text, u.clientToken()) {
			found = append(found, "the client's key in "+name)
		}
	}
	if strings.Contains(r.URL.String(), u.clientToken()) || bytes.Contains(body, []byte(u.clientToken())) {
		found = append(found, "the client's key")
	}
	got := strings.TrimSuffix(r.Header.Get(u.credential()), secretBad)
	if got != u.secret && got != "Bearer "+u.secret {
		found = append(found, fmt.Sprintf("credential %q", got))
	}
	return found
}

// compare checks that a request says what the scene asked for.
func (h *heard) compare(s *scene, round int) {
	if h.system != system {
		h.refuse("the instructions are %q", h.system)
	}
	if !slices.Contains(h.prompts, s.prompt()) {
		h.refuse("the prompt is not in %q", h.prompts)
	}
	want := 0
	if s.ask.imageURL || s.ask.imageData {
		want++
	}
	pictured := 0
	for _, r := range h.results {
		pictured += r.images
	}
	for _, r := range s.results {
		if round == 2 && r.image {
			want++
		}
	}
	if h.images+pictured != want {
		h.refuse("%d images of %d arrived", h.images+pictured, want)
	}
	if s.ask.tools && !slices.Equal(h.tools, []string{"weather", "now"}) {
		h.refuse("the tools are %q", h.tools)
	}
	if round == 2 {
		h.compareResults(s)
	}
}

// compareResults checks that every call came back with its own result.
func (h *heard) compareResults(s *scene) {
	if len(h.calls) != len(s.says.calls) || len(h.results) != len(s.results) {
		h.refuse("%d calls and %d results came back", len(h.calls), len(h.results))
		return
	}
	for i, c := range h.calls {
		want := s.says.calls[i]
		if c.name != want.name || !sameJSON(c.args, want.args) {
			h.refuse("call %d is %v", i, c)
		}
		for _, r := range s.results {
			if r.call != i {
				continue
			}
			at := slices.IndexFunc(h.results, func(got heardResult) bool { return got.id == c.id })
			if at < 0 || !strings.Contains(h.results[at].text, r.text) {
				h.refuse("the result of call %d is not %q: %v", i, r.text, h.results)
			}
		}
	}
}

// paired refuses what providers refuse: calls without results in the next turn,
// and results without their call.
func (h *heard) paired() {
	for _, r := range h.results {
		if !slices.ContainsFunc(h.calls, func(c call) bool { return c.id == r.id }) {
			h.refuse("result %q answers no call", r.id)
		}
	}
	for _, c := range h.calls {
		if !slices.ContainsFunc(h.results, func(r heardResult) bool { return r.id == c.id }) {
			h.refuse("call %q is not answered", c.id)
		}
	}
}

// sameJSON compares documents by their values.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return js(x) == js(y)
}

// play answers. Errors and fields try to tell the client what it must not know.
func (u *upstream) play(w http.ResponseWriter, r *http.Request, x *told) {
	w.Header().Set("Server", "secret-engine "+u.secret)
	w.Header().Set("X-Upstream-Address", u.url)
	w.Header().Set("Set-Cookie", "upstream=1")
	w.Header().Set("Content-Type", "application/json")
	words := "trouble at " + u.url + " with key " + u.secret
	if len(x.wrong) > 0 {
		w.WriteHeader(400)
		io.WriteString(w, u.failure(strings.Join(x.wrong, "; ")+" "+words, false))
		return
	}
	fault := x.scene.fault
	if fault == faultBefore && x.scene.backup && !strings.HasSuffix(r.Header.Get(u.credential()), secretBad) {
		fault = ""
	}
	if !x.stream {
		u.playWhole(w, fault, words, x)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	events, content := u.frames(x.said)
	switch fault {
	case faultBefore:
		send(w, strings.Join(events[:content], "")+u.failure(words, true), x.scene.cut)
	case faultAfter:
		send(w, strings.Join(events[:content+2], "")+u.failure(words, true), x.scene.cut)
	case faultCut:
		send(w, strings.Join(events[:content+2], ""), x.scene.cut)
	case faultReset:
		send(w, strings.Join(events[:content+2], ""), x.scene.cut)
		panic(http.ErrAbortHandler)
	default:
		send(w, strings.Join(events, ""), x.scene.cut)
	}
}

// playWhole answers with a document.
func (u *upstream) playWhole(w http.ResponseWriter, fault, words string, x *told) {
	doc := u.whole(x.said)
	switch fault {
	case faultBefore:
		w.WriteHeader(503)
		io.WriteString(w, u.failure(words, false))
	case faultAfter: // inside a success
		io.WriteString(w, u.failure(words, false))
	case faultCut:
		io.WriteString(w, doc[:len(doc)*2/3])
	case faultReset:
		send(w, doc[:len(doc)*2/3], x.scene.cut)
		panic(http.ErrAbortHandler)
	default:
		send(w, doc, x.scene.cut)
	}
}

// awkward are sizes of pieces that end within runes, lines and tokens.
var awkward = []int{1, 2, 3, 5, 7, 64, 131, 1021, 4099, 16001}

// send writes a text in pieces of a size, or of awkward ones.
func send(w http.ResponseWriter, text string, size int) {
	flusher := http.NewResponseController(w)
	for i := 0; text != ""; i++ {
		n := size
		if n == 0 {
			n = awkward[i%len(awkward)]
		}
		n = min(n, len(text))
		io.WriteString(w, text[:n])
		flusher.Flush()
		text = text[n:]
	}
}
