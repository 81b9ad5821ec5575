package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
)

// load is one kind of request as bytes on a connection, and what comes back.
type load struct {
	name    string
	request string
	// answer is what the target says, events how many events are in it.
	answer string
	events int
	// end is how the answer ends that the client reads.
	end string
}

// post renders a request; authorization is added by the run.
func post(path, body string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: */*\r\nUser-Agent: bench\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
}

// whole renders an answer with a length.
func whole(contentType, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s", contentType, len(body), body)
}

const benchEvents = 50

// burst renders a chunked stream of events of 160 bytes, each in a chunk of its
// own, the last but one with usage.
func burst() string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	for i := range benchEvents {
		event := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[{"index":0,"delta":{"content":"xxxxxxxxxxxxxxxxxxxxxxx"}}]}` + "\n\n"
		switch i {
		case benchEvents - 3:
			event = strings.Replace(event, `"}}]`, `"},"finish_reason":"stop"}]`, 1)
		case benchEvents - 2:
			event = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[],"usage":{"prompt_tokens":80,"completion_tokens":90,"total_tokens":170}}` + "\n\n"
		case benchEvents - 1:
			event = "data: [DONE]\n\n"
		}
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(event), event)
	}
	return b.String() + "0\r\n\r\n"
}

// loads are the fast paths whose cost is held down.
func loads() []load {
	prompt := strings.Repeat("please ", 72)
	big := strings.Repeat("and the words ", 200<<10/14)
	answer := strings.Replace(wholeChat, "hello", strings.Repeat("answer ", 80), 1)
	chat := func(text, extra string) string {
		return `{"model":"m1","messages":[{"role":"user","content":"` + text + `"}]` + extra + `}`
	}
	return []load{
		{name: "plain", request: post("/svc/x", strings.Repeat("p", 1<<10)), answer: whole("text/plain", strings.Repeat("a", 1<<10)), end: "aaaa"},
		{name: "chat", request: post("/v1/chat/completions", chat(prompt, "")), answer: whole("application/json", answer), end: "}}"},
		{name: "stream", request: post("/v1/chat/completions", chat(prompt, `,"stream":true`)), answer: burst(), events: benchEvents, end: "0\r\n\r\n"},
		{name: "big", request: post("/v1/chat/completions", chat(big, "")), answer: whole("application/json", answer), end: "}}"},
	}
}

// leanTarget answers every request with fixed bytes, without allocating: what is
// measured is the gateway. It ends with its listener.
func leanTarget(t testing.TB, answer string) (host string, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerAlways(c, []byte(answer))
		}
	}()
	addr := l.Addr().(*net.TCPAddr)
	return "127.0.0.1", addr.Port
}

// answerAlways answers whatever comes until the connection ends.
func answerAlways(c net.Conn, answer []byte) {
	defer c.Close()
	b := make([]byte, 512<<10)
	for have := 0; ; {
		n, err := c.Read(b[have:])
		if err != nil {
			return
		}
		have += n
		if want := requestLength(b[:have]); want == 0 || have < want {
			continue
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
		have = 0
	}
}

// requestLength is how long a request is, 0 while its head is not whole.
func requestLength(b []byte) int {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0
	}
	length := 0
	if i := bytes.Index(b[:end], []byte("Content-Length: ")); i >= 0 {
		for _, c := range b[i+len("Content-Length: "):] {
			if c < '0' || c > '9' {
				break
			}
			length = length*10 + int(c-'0')
		}
	}
	return end + 4 + length
}

// ledgerless takes records and forgets them.
type ledgerless struct{}

// Publish implements sluice.Events.
func (ledgerless) Publish(_ context.Context, batch []sluice.Record) (sluice.Position, error) {
	return sluice.Position(len(batch)), nil
}

// benchFixture is a gateway on the wire as it ships: key-auth, limits, prices,
// records and metrics on.
func benchFixture(t testing.TB, answer string, options ...option) *fixture {
	options = append([]option{builtInParts(t), func(g *gateway.Config, l *limits) {
		g.Events, g.Log = ledgerless{}, slog.New(slog.DiscardHandler)
		g.Records = gateway.RecordConfig{}
		l.relaxed = true
	}}, options...)
	f := newFixture(t, overWire, options...)
	host, port := leanTarget(t, answer)
	f.add(&sluice.Provider{Meta: meta("platform", "p1"), Type: "openai-compatible", BaseURL: fmt.Sprintf("http://%s:%d", host, port), APIKey: "sk-a-long-credential"})
	f.add(&sluice.Upstream{Meta: meta("platform", "svc"), Nodes: []sluice.Node{{Host: host, Port: port}}})
	f.add(&sluice.Route{Meta: meta("platform", "svc"), Paths: []string{"/svc/*"}, Upstream: "svc"})
	f.snap.Routes[0].Plugins = pluginSet("key-auth", `{}`)
	f.token = f.addKey("acme", "fast", func(k *sluice.Key) { k.RPM, k.TPM = new(int64(1e9)), new(int64(1e12)) })
	f.snap.Prices = []sluice.Price{chatPrice(1, "", 1_000_000_000), chatPrice(2, "acme", 2_000_000_000)}
	f.apply()
	return f
}

// client drives one connection with one kind of request.
type client struct {
	t       testing.TB
	c       net.Conn
	request []byte
	end     []byte
	length  int
	b       []byte
}

func (f *fixture) drive(l load) *client {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	d := &client{t: f.t, c: c, request: fmt.Appendf(nil, l.request, f.token), end: []byte(l.end), b: make([]byte, 64<<10)}
	d.once()
	if !bytes.HasPrefix(d.b, []byte("HTTP/1.1 200 ")) || l.events > 0 && bytes.Count(d.b[:d.length], []byte("data: ")) < l.events-1 {
		f.t.Fatalf("answer %s", d.b[:d.length])
	}
	return d
}

// once sends one request and reads its answer.
func (d *client) once() {
	if _, err := d.c.Write(d.request); err != nil {
		d.t.Fatal(err)
	}
	d.length = 0
	for !bytes.HasSuffix(d.b[:d.length], d.end) {
		n, err := d.c.Read(d.b[d.length:])
		if err != nil {
			d.t.Fatalf("%v after %s", err, d.b[:d.length])
		}
		d.length += n
	}
}

// BenchmarkServe is what one request costs altogether: client, gateway and
// target in one process over loopback. perEvent is the part of one event.
func BenchmarkServe(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			d := benchFixture(b, l.answer).drive(l)
			for range 200 {
				d.once()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				d.once()
			}
			if l.events > 0 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(l.events), "ns/event")
			}
		})
	}
}

// memory is an inbound and an outbound without sockets: what remains is the
// pipeline alone.
type memory struct {
	head   sluice.Head
	fields []sluice.Field
	body   []byte
	answer sluice.RespHead
	pieces [][]byte
	next   int
}

// Head implements sluice.Inbound; the head is as it came each time.
func (m *memory) Head() *sluice.Head { return &m.head }

// Body implements sluice.Inbound.
func (m *memory) Body(int64) ([]byte, error) { return m.body, nil }

// Read implements sluice.Inbound.
func (m *memory) Read([]byte) (int, error) { return 0, io.EOF }

// Begin implements sluice.Inbound.
func (m *memory) Begin(*sluice.RespHead) error { return nil }

// Write implements sluice.Inbound.
func (m *memory) Write([]byte) error { return nil }

// End implements sluice.Inbound.
func (m *memory) End(*sluice.Fields) error { return nil }

// Abort implements sluice.Inbound.
func (m *memory) Abort() {}

// OnGone implements sluice.Inbound.
func (m *memory) OnGone(func()) {}

// Tunnel implements sluice.Inbound.
func (m *memory) Tunnel() (net.Conn, []byte, error) { return nil, nil, io.EOF }

// Do implements sluice.Outbound.
func (m *memory) Do(c *sluice.Call) (sluice.Stream, error) {
	m.next = 0
	if c.Before != nil {
		if err := c.Before(); err != nil {
			return nil, err
		}
	}
	return answered{m}, nil
}

// answered is its stream.
type answered struct{ *memory }

// Head implements sluice.Stream.
func (a answered) Head() *sluice.RespHead { return &a.answer }

// Next implements sluice.Stream.
func (a answered) Next() ([]byte, error) {
	if a.next == len(a.pieces) {
		return nil, io.EOF
	}
	a.memory.next++
	return a.pieces[a.memory.next-1], nil
}

// Trailers implements sluice.Stream.
func (a answered) Trailers() *sluice.Fields { return nil }

// Close implements sluice.Stream.
func (a answered) Close() {}

// reset gives the next request its head.
func (m *memory) reset(path string) {
	m.head = sluice.Head{
		Method: "POST", Target: path, Path: path, Host: "gateway.example", Proto: "HTTP/1.1", ContentLength: int64(len(m.body)),
		Peer: netip.MustParseAddrPort("127.0.0.1:4711"), Fields: m.head.Fields,
	}
	m.head.Fields.Reset()
	for _, f := range m.fields {
		m.head.Fields.Add(f.Name, f.Value)
	}
}

// BenchmarkPipeline is what the pipeline costs beside its transports.
func BenchmarkPipeline(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			m := &memory{}
			m.serve(b, benchFixture(b, l.answer, m.asOutbound), l)
		})
	}
}

// asOutbound is an option that has the gateway ask m.
func (m *memory) asOutbound(g *gateway.Config, _ *limits) { g.Outbound = m }

// serve brings the load's request through the pipeline again and again.
func (m *memory) serve(b *testing.B, f *fixture, l load) {
	head, body, _ := strings.Cut(l.request, "\r\n\r\n")
	path := strings.Fields(head)[1]
	m.body = []byte(body)
	m.fields = []sluice.Field{
		{Name: "Authorization", Value: "Bearer " + f.token}, {Name: "Content-Type", Value: "application/json"},
		{Name: "Accept", Value: "*/*"}, {Name: "User-Agent", Value: "bench"}, {Name: "Content-Length", Value: fmt.Sprint(len(body))},
	}
	m.prepare(l)
	b.ReportAllocs()
	for b.Loop() {
		m.reset(path)
		f.g.Serve(m)
	}
	if l.events > 0 {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(l.events), "ns/event")
	}
}

// prepare makes the answer of a load that of the outbound.
func (m *memory) prepare(l load) {
	_, body, _ := strings.Cut(l.answer, "\r\n\r\n")
	m.answer = sluice.RespHead{Status: 200, ContentLength: int64(len(body))}
	m.answer.Fields.Add("Content-Type", "application/json")
	if m.pieces = [][]byte{[]byte(body)}; l.events == 0 {
		return
	}
	m.answer = sluice.RespHead{Status: 200, ContentLength: -1}
	m.answer.Fields.Add("Content-Type", "text/event-stream")
	m.pieces = nil
	for _, line := range strings.Split(body, "\r\n") {
		if strings.HasPrefix(line, "data:") {
			m.pieces = append(m.pieces, []byte(line))
		}
	}
}
