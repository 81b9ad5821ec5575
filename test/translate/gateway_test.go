package translate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/netguard"
	"github.com/sluicegate/sluice/internal/plugins"
	"github.com/sluicegate/sluice/internal/wire"
	"github.com/sluicegate/sluice/plugin"
)

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

// port is a source of one snapshot and the books that records end in.
type port struct {
	mu      sync.Mutex
	changed *sync.Cond
	snap    *sluice.Snapshot
	records map[string]sluice.Record
}

func newPort(snap *sluice.Snapshot) *port {
	p := &port{snap: snap, records: map[string]sluice.Record{}}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// Next implements sluice.Snapshots.
func (p *port) Next(ctx context.Context, after uint64) (*sluice.Snapshot, error) {
	if after < p.snap.Revision {
		return p.snap, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// Publish implements sluice.Events.
func (p *port) Publish(_ context.Context, batch []sluice.Record) (sluice.Position, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range batch {
		b, err := json.Marshal(&batch[i])
		if err != nil {
			return 0, err
		}
		var own sluice.Record
		if err := json.Unmarshal(b, &own); err != nil {
			return 0, err
		}
		p.records[own.ID] = own
	}
	p.changed.Broadcast()
	return sluice.Position(len(p.records)), nil
}

// Report implements sluice.StatusSink.
func (*port) Report(context.Context, sluice.GatewayStatus) error { return nil }

// record waits for the record of a request.
func (p *port) record(t testing.TB, id string) sluice.Record {
	t.Helper()
	deadline := time.Now().Add(patience)
	late := time.AfterFunc(patience, p.changed.Broadcast)
	defer late.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if r, ok := p.records[id]; ok {
			return r
		}
		if !time.Now().Before(deadline) {
			t.Fatalf("no record of request %q", id)
		}
		p.changed.Wait()
	}
}

// plane is a gateway with a client.
type plane struct {
	*port
	url, token string
	client     *http.Client
}

// newPlane starts a gateway that serves every surface, in front of providers.
// Each serves the models that it lists.
func newPlane(t testing.TB, timeouts sluice.Timeouts, providers ...*sluice.Provider) *plane {
	t.Helper()
	snap := &sluice.Snapshot{Schema: 1, Revision: 1}
	id := uint64(0)
	meta := func(tenant, name string) sluice.Meta {
		id++
		return sluice.Meta{ID: id, Tenant: tenant, Name: name}
	}
	token, prefix := sluice.NewToken("test")
	key := &sluice.Key{Meta: meta("acme", "key"), User: "u", TokenHash: sluice.HashToken(token), Prefix: prefix, RPM: new(int64), TPM: new(int64)}
	key.Normalize()
	snap.Keys = append(snap.Keys, key)
	for _, name := range []string{"platform", "acme"} {
		tenant := sluice.Tenant{Meta: meta(name, name), Spending: sluice.SpendingPostpaid, UnlimitedCredit: true}
		tenant.Normalize()
		snap.Tenants = append(snap.Tenants, tenant)
	}
	group := sluice.Group{Meta: meta("platform", "default"), SharedWith: []string{"*"}, MaxAttempts: 2}
	group.Normalize()
	snap.Groups = append(snap.Groups, group)
	known := map[string]bool{}
	for _, p := range providers {
		p.Meta = meta("platform", p.Name)
		p.Normalize()
		snap.Providers = append(snap.Providers, *p)
		for _, name := range p.Models {
			if !known[name] {
				known[name] = true
				model := sluice.Model{Meta: meta("platform", name)}
				if strings.HasSuffix(name, strictly) {
					model.ParamPolicy = sluice.ParamsStrict
				}
				model.Normalize()
				snap.Models = append(snap.Models, model)
			}
		}
	}
	for surface, paths := range map[string][]string{"openai": {"/v1/*"}, "anthropic": {"/v1/messages", "/v1/messages/*"}, "gemini": {"/v1beta/*"}} {
		route := sluice.Route{Meta: meta("platform", surface), Paths: paths, Surface: surface, Plugins: map[string]json.RawMessage{"key-auth": json.RawMessage(`{}`)}}
		route.Normalize()
		snap.Routes = append(snap.Routes, route)
	}
	p := &plane{port: newPort(decoded(t, snap)), token: token}
	p.serve(t, timeouts)
	return p
}

// decoded is the snapshot as a gateway receives it.
func decoded(t testing.TB, snap *sluice.Snapshot) *sluice.Snapshot {
	t.Helper()
	b, err := snap.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s, err := sluice.DecodeSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve runs the gateway until the test ends.
func (p *plane) serve(t testing.TB, timeouts sluice.Timeouts) {
	t.Helper()
	registry, err := plugin.New(plugins.All()...)
	if err != nil {
		t.Fatal(err)
	}
	dialer := net.Dialer{Control: netguard.Platform.Control}
	pool := wire.NewPool(wire.PoolConfig{Dial: dialer.DialContext})
	t.Cleanup(pool.Close)
	g, err := gateway.New(gateway.Config{
		Name: "gw-test", Version: "test", Snapshots: p.port, Admission: link.NewLocal(link.LocalConfig{Now: time.Now}),
		Events: p.port, Status: p.port, Plugins: registry, Dialects: builtin.Registry(nil), Outbound: pool, TenantOutbound: pool,
		Log: slog.New(slog.DiscardHandler), Records: gateway.RecordConfig{Flush: time.Millisecond, Batch: 1},
		Timeouts: timeouts,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := wire.NewServer(wire.Config{Handler: g.Serve})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(l) })
	running.Go(func() { g.Run(ctx) })
	p.url = "http://" + l.Addr().String()
	p.client = &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		server.Close()
		cancel()
		running.Wait()
	})
	for deadline := time.Now().Add(patience); g.Status().Revision == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the gateway did not take its snapshot")
		}
	}
}

// answer is a whole answer with its record.
type answer struct {
	status int
	header http.Header
	body   []byte
	record sluice.Record
}

// send sends a request as a client of a surface does, and reads its answer to
// the end. auth is the surface's own field of the key. What a client's software
// adds for its own purposes is sent as well: it must not travel on.
func (p *plane) send(t testing.TB, path, auth, body string) answer {
	t.Helper()
	req, err := http.NewRequest("POST", p.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	value := p.token
	if auth == "Authorization" {
		value = "Bearer " + value
	}
	req.Header.Set(auth, value)
	req.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{
		"Cookie": "session=client-cookie", "X-Stainless-Lang": "go", "X-Forwarded-For": "203.0.113.9",
		"Openai-Organization": "org-client", "X-Goog-User-Project": "client-project", "Anthropic-Dangerous-Direct-Browser-Access": "true",
	} {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	a.body, _ = io.ReadAll(resp.Body) // one that is cut short is a valid end of a fault
	a.record = p.record(t, resp.Header.Get("X-Request-Id"))
	return a
}
