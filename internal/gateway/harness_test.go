package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/plugin"
)

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

// feed is a Snapshots port that a test fills.
type feed struct {
	mu   sync.Mutex
	snap *sluice.Snapshot
	wake chan struct{}
}

func newFeed() *feed { return &feed{wake: make(chan struct{})} }

func (f *feed) publish(s *sluice.Snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snap = s
	close(f.wake)
	f.wake = make(chan struct{})
}

// Next implements sluice.Snapshots.
func (f *feed) Next(ctx context.Context, after uint64) (*sluice.Snapshot, error) {
	for {
		f.mu.Lock()
		snap, wake := f.snap, f.wake
		f.mu.Unlock()
		if snap != nil && snap.Revision > after {
			return snap, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wake:
		}
	}
}

// books keeps what is published; it implements sluice.Events and StatusSink.
type books struct {
	mu      sync.Mutex
	records map[string]sluice.Record
	arrived chan struct{}
	refuse  bool
	refused int // attempts
	status  sluice.GatewayStatus
	used    map[uint64]time.Time
}

func newBooks() *books {
	return &books{records: map[string]sluice.Record{}, arrived: make(chan struct{}, 1), used: map[uint64]time.Time{}}
}

// Publish implements sluice.Events.
func (b *books) Publish(_ context.Context, batch []sluice.Record) (sluice.Position, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse {
		b.refused++
		return 0, sluice.Errorf(sluice.CodeUnavailable, "the books are closed")
	}
	for i := range batch {
		r := owned(&batch[i])
		b.records[r.ID] = r
	}
	select {
	case b.arrived <- struct{}{}:
	default:
	}
	return sluice.Position(len(b.records)), nil
}

// owned copies a record with everything that it refers to, as whoever keeps one
// has to.
func owned(r *sluice.Record) (own sluice.Record) {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(b, &own); err != nil {
		panic(err)
	}
	return own
}

// Report implements sluice.StatusSink.
func (b *books) Report(_ context.Context, s sluice.GatewayStatus) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = s
	for id, at := range s.KeysUsed {
		b.used[id] = at
	}
	return nil
}

// admission admits all but what a test refuses, and remembers what became of it.
type admission struct {
	mu       sync.Mutex
	refuse   error
	claims   []sluice.Claims
	settled  map[string]int64
	released map[string]bool
}

func newAdmission() *admission {
	return &admission{settled: map[string]int64{}, released: map[string]bool{}}
}

// Admit implements sluice.Admission.
func (a *admission) Admit(_ context.Context, c sluice.Claims) (sluice.Grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse != nil {
		return sluice.Grant{}, a.refuse
	}
	kept := sluice.Claims{RequestID: strings.Clone(c.RequestID), TokenHash: strings.Clone(c.TokenHash), Revision: c.Revision, List: slices.Clone(c.List)}
	for i := range kept.List {
		kept.List[i].Bucket = strings.Clone(kept.List[i].Bucket)
	}
	a.claims = append(a.claims, kept)
	g := sluice.Grant{RequestID: kept.RequestID}
	for _, claim := range kept.List {
		g.Standings = append(g.Standings, sluice.Standing{Claim: claim, Remaining: claim.Limit - claim.Amount, Reset: time.Second})
	}
	return g, nil
}

// Settle implements sluice.Admission.
func (a *admission) Settle(_ context.Context, g sluice.Grant, tokens int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled[g.RequestID] = tokens
	return nil
}

// Extend implements sluice.Admission.
func (a *admission) Extend(context.Context, sluice.RequestID, sluice.Nanos) error { return nil }

// Release implements sluice.Admission.
func (a *admission) Release(_ context.Context, g sluice.Grant) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.released[g.RequestID] = true
	return nil
}

// bearer is an authenticating plugin that claims like the real one.
type bearer struct{}

// Access implements plugin.Accessor.
func (*bearer) Access(x *plugin.Exchange) error {
	token, ok := strings.CutPrefix(x.Request.Fields.Get("Authorization"), "Bearer ")
	if !ok {
		return sluice.Errorf(sluice.CodeUnauthorized, "send a key")
	}
	c, err := x.Keys.ByToken(token)
	if err != nil {
		return err
	}
	x.Consumer = c
	x.Request.Fields.Del("Authorization")
	x.Claim(sluice.Claim{Kind: sluice.ClaimRequests, Bucket: "key:" + c.Key.Name, Limit: 60, Window: time.Minute, Amount: 1})
	x.Claim(sluice.Claim{Kind: sluice.ClaimTokens, Bucket: "key:" + c.Key.Name, Limit: 100_000, Window: time.Minute})
	return nil
}

// probe exercises every phase; its configuration says how it misbehaves.
type probe struct {
	cfg  probeConfig
	seen *seen
}

type probeConfig struct {
	Panic   string `json:"panic,omitempty"`
	Refuse  bool   `json:"refuse,omitempty"`
	Respond bool   `json:"respond,omitempty"`
	Upper   bool   `json:"upper,omitempty"`
	SetBody string `json:"set_body,omitempty"`
	Tag     string `json:"tag,omitempty"`
}

// seen is what probes of one test saw.
type seen struct {
	mu     sync.Mutex
	phases []string
}

func (s *seen) add(p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phases = append(s.phases, p)
}

func (s *seen) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := strings.Join(s.phases, " ")
	s.phases = nil
	return out
}

// Access implements plugin.Accessor.
func (p *probe) Access(x *plugin.Exchange) error {
	p.seen.add("access")
	switch {
	case p.cfg.Panic == "access":
		panic("probe")
	case p.cfg.Refuse:
		return sluice.Errorf(sluice.CodeForbidden, "the probe says no")
	case p.cfg.Respond:
		x.Respond(203, nil, []byte("from the plugin"))
	case p.cfg.SetBody != "":
		x.SetBody([]byte(p.cfg.SetBody))
	}
	return nil
}

// HeaderFilter implements plugin.HeaderFilterer.
func (p *probe) HeaderFilter(x *plugin.Exchange) error {
	p.seen.add("header")
	x.Response.Fields.Set("X-Probe", "seen"+p.cfg.Tag)
	if p.cfg.Panic == "header" {
		panic("probe")
	}
	return nil
}

// BodyFilter implements plugin.BodyFilterer.
func (p *probe) BodyFilter(_ *plugin.Exchange, chunk []byte, last bool) ([]byte, error) {
	if last {
		p.seen.add("body")
	}
	if p.cfg.Panic == "body" || p.cfg.Panic == "body later" && bytes.Contains(chunk, []byte("llo")) {
		panic("probe")
	}
	if p.cfg.Upper {
		return bytes.ToUpper(chunk), nil
	}
	return chunk, nil
}

// Log implements plugin.Logger.
func (p *probe) Log(_ *plugin.Exchange, r *sluice.Record) {
	p.seen.add("log:" + string(r.Outcome))
}

// fixture is a gateway with everything around it.
type fixture struct {
	t         testing.TB
	g         *gateway.Gateway
	url, addr string
	snap      *sluice.Snapshot
	feed      *feed
	books     *books
	admission *admission
	seen      *seen
	metrics   *prometheus.Registry
	server    server
	stop      func()
	client    *http.Client
	token     string
	ids       uint64
}

// option changes the configuration of a fixture.
type option func(*gateway.Config, *limits)

// newFixture starts a gateway on loopback, over a transport, with a platform tenant, a tenant acme
// with the key "key" in the shared default group, and an LLM route at /v1.
func newFixture(t testing.TB, over transport, options ...option) *fixture {
	t.Helper()
	f := &fixture{
		t: t, feed: newFeed(), books: newBooks(), admission: newAdmission(), seen: &seen{},
		metrics: prometheus.NewRegistry(), snap: &sluice.Snapshot{Schema: 1},
	}
	plugins, err := plugin.New(
		plugin.Define("bearer", "Names the consumer.", 2500, func(struct{}, plugin.Env) (plugin.Plugin, error) { return &bearer{}, nil }, plugin.Authenticates()),
		plugin.Define("probe", "Sees every phase.", 10, func(c probeConfig, _ plugin.Env) (plugin.Plugin, error) { return &probe{c, f.seen}, nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	outbound, stop := over.outbound()
	t.Cleanup(stop)
	cfg := gateway.Config{
		Name: "gw-test", Version: "test", Snapshots: f.feed, Admission: f.admission, Events: f.books, Status: f.books,
		Plugins: plugins, Dialects: builtin.Registry(nil), Outbound: outbound, TenantOutbound: outbound,
		Log: slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: f.metrics,
		Records: gateway.RecordConfig{Flush: time.Millisecond}, StatusEvery: 20 * time.Millisecond,
		Drain:    gateway.DrainConfig{Deadline: 5 * time.Second},
		Timeouts: sluice.Timeouts{ConnectMS: 2000, FirstByteMS: 5000, IdleMS: 5000, TotalMS: 20000},
	}
	var bounds limits
	for _, o := range options {
		o(&cfg, &bounds)
	}
	if f.g, err = gateway.New(cfg); err != nil {
		t.Fatal(err)
	}
	f.start(over.server(bounds, f.g.Serve))
	f.defaults()
	return f
}

// start serves and runs until the test ends.
func (f *fixture) start(srv server) {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr, f.url = l.Addr().String(), "http://"+l.Addr().String()
	f.server = srv
	var running sync.WaitGroup
	running.Go(func() { _ = f.server.Serve(l) })
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() { f.g.Run(ctx) })
	f.stop = sync.OnceFunc(func() {
		f.server.Close()
		f.eventually("the last request ends", func() bool { return f.g.Status().Active == 0 })
		cancel()
		running.Wait()
	})
	f.t.Cleanup(f.stop)
	f.client = &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	f.t.Cleanup(f.client.CloseIdleConnections)
}

func (f *fixture) defaults() {
	f.add(&sluice.Tenant{Meta: meta("platform", "platform"), Spending: sluice.SpendingPostpaid, UnlimitedCredit: true})
	f.add(&sluice.Tenant{Meta: meta("acme", "acme"), Spending: sluice.SpendingPostpaid, UnlimitedCredit: true})
	f.add(&sluice.Group{Meta: meta("platform", "default"), SharedWith: []string{"*"}})
	f.token = f.addKey("acme", "key", nil)
	f.add(&sluice.Model{Meta: meta("platform", "m1")})
	f.add(&sluice.Route{Meta: meta("platform", "llm"), Paths: []string{"/v1/*"}, Surface: "openai", Plugins: pluginSet("bearer", `{}`, "probe", `{}`)})
}

func meta(tenant, name string) sluice.Meta { return sluice.Meta{Tenant: tenant, Name: name} }

// pluginSet builds a plugins member of name and configuration pairs.
func pluginSet(pairs ...string) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return m
}

// add puts an object into the snapshot; apply publishes it. It is not validated:
// what a broken object does is the gateway's business.
func (f *fixture) add(o sluice.Object) {
	f.t.Helper()
	f.ids++
	o.GetMeta().ID = f.ids
	o.Normalize()
	s := f.snap
	switch o := o.(type) {
	case *sluice.Tenant:
		s.Tenants = append(s.Tenants, *o)
	case *sluice.Group:
		s.Groups = append(s.Groups, *o)
	case *sluice.Provider:
		s.Providers = append(s.Providers, *o)
	case *sluice.Model:
		s.Models = append(s.Models, *o)
	case *sluice.Upstream:
		s.Upstreams = append(s.Upstreams, *o)
	case *sluice.Route:
		s.Routes = append(s.Routes, *o)
	case *sluice.Key:
		s.Keys = append(s.Keys, o)
	default:
		f.t.Fatalf("a snapshot holds no %T", o)
	}
}

// addKey adds a key and returns its token.
func (f *fixture) addKey(tenant, name string, change func(*sluice.Key)) string {
	f.t.Helper()
	token, prefix := sluice.NewToken("test")
	k := &sluice.Key{Meta: meta(tenant, name), User: "u", TokenHash: sluice.HashToken(token), Prefix: prefix}
	if change != nil {
		change(k)
	}
	f.add(k)
	return token
}

// addProvider adds a provider that is the scripted upstream.
func (f *fixture) addProvider(name string, u *sluicetest.Upstream, change func(*sluice.Provider)) {
	f.t.Helper()
	p := &sluice.Provider{Meta: meta("platform", name), Type: "openai-compatible", BaseURL: u.URL(), APIKey: "sk-" + name}
	if change != nil {
		change(p)
	}
	f.add(p)
}

// addService adds a plain route below /svc to the scripted upstreams.
func (f *fixture) addService(change func(*sluice.Route, *sluice.Upstream), nodes ...*sluicetest.Upstream) {
	f.t.Helper()
	up := &sluice.Upstream{Meta: meta("platform", "svc")}
	for _, u := range nodes {
		up.Nodes = append(up.Nodes, sluice.Node{Host: u.Host(), Port: u.Port()})
	}
	r := &sluice.Route{Meta: meta("platform", "svc"), Paths: []string{"/svc/*"}, Upstream: "svc", Plugins: pluginSet("bearer", `{}`, "probe", `{}`)}
	if change != nil {
		change(r, up)
	}
	f.add(up)
	f.add(r)
}

// apply publishes a copy of the snapshot and waits until it is served.
func (f *fixture) apply() {
	f.t.Helper()
	f.snap.Revision++
	b, err := f.snap.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := sluice.DecodeSnapshot(b)
	if err != nil {
		f.t.Fatal(err)
	}
	f.feed.publish(s)
	f.eventually("the snapshot is applied or refused", func() bool {
		st := f.g.Status()
		return st.Revision >= s.Revision || st.Refused >= s.Revision
	})
}

// eventually waits for a condition that other goroutines bring about.
func (f *fixture) eventually(what string, holds func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			f.t.Fatalf("did not happen: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // while reading the body
}

// errorCode is our code in an error answer of any surface.
func (a answer) errorCode() sluice.Code {
	var shape struct {
		Error struct{ Code sluice.Code }
	}
	_ = json.Unmarshal([]byte(a.body), &shape)
	return shape.Error.Code
}

// do sends a request with the fixture's key and reads the whole answer. Fields
// are "Name: value"; one with an empty value removes the field.
func (f *fixture) do(method, path, body string, fields ...string) answer {
	f.t.Helper()
	a, err := f.try(method, path, body, fields...)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (f *fixture) try(method, path, body string, fields ...string) (answer, error) {
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	req.Header.Set("Content-Type", "application/json")
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		req.Header.Del(name)
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}, nil
}

// chat sends a chat request for model m1.
func (f *fixture) chat(extra string, fields ...string) answer {
	f.t.Helper()
	return f.do("POST", "/v1/chat/completions", chatBody("m1", extra), fields...)
}

func chatBody(model, extra string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}]` + extra + `}`
}

// wholeChat is a provider's answer.
const wholeChat = `{"id":"c1","object":"chat.completion","created":1,"model":"m1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`

// chatEvents is a provider's stream.
var chatEvents = []string{
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[{"index":0,"delta":{"role":"assistant","content":"he"},"finish_reason":null}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":null}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`,
	`[DONE]`,
}

// records waits until n records are in the books and returns them.
func (f *fixture) records(n int) []sluice.Record {
	f.t.Helper()
	var list []sluice.Record
	f.eventually("the records are in the books", func() bool {
		f.books.mu.Lock()
		defer f.books.mu.Unlock()
		list = list[:0]
		for _, r := range f.books.records {
			list = append(list, r)
		}
		return len(list) >= n
	})
	if len(list) != n {
		f.t.Fatalf("%d records, want %d: %+v", len(list), n, list)
	}
	return list
}

// record waits for the only record.
func (f *fixture) record() sluice.Record { f.t.Helper(); return f.records(1)[0] }

// recordOf waits for the record of a request id.
func (f *fixture) recordOf(id string) (r sluice.Record) {
	f.t.Helper()
	f.eventually("the record of "+id+" is in the books", func() bool {
		f.books.mu.Lock()
		defer f.books.mu.Unlock()
		var ok bool
		r, ok = f.books.records[id]
		return ok
	})
	return r
}

// testLog passes the gateway's log to the test's; it is shown on failure only.
type testLog struct{ t testing.TB }

// Write implements io.Writer.
func (l testLog) Write(b []byte) (int, error) {
	defer func() { _ = recover() }() // a late line after the test's end is of no use
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}
