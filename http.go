package sluice

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Field is one header or trailer field as it stood on the wire. On the fast
// path both strings are spans of a leased buffer: they are valid until the
// exchange ends, and whoever keeps one longer clones it.
type Field struct{ Name, Value string }

// Fields is an ordered list of fields with case-insensitive look-up. It is a
// slice, not a map: a head has a dozen fields, and order and duplicates matter.
// It is not safe for concurrent use.
type Fields struct{ list []Field }

// Len returns the number of fields.
func (f *Fields) Len() int { return len(f.list) }

// At returns the i-th field.
func (f *Fields) At(i int) Field { return f.list[i] }

// Add appends a field.
func (f *Fields) Add(name, value string) { f.list = append(f.list, Field{name, value}) }

// Get returns the value of the first field of that name, "" when absent.
func (f *Fields) Get(name string) string {
	v, _ := f.Lookup(name)
	return v
}

// Lookup returns the value of the first field of that name and whether one
// exists.
func (f *Fields) Lookup(name string) (string, bool) {
	for i := range f.list {
		if equalFold(f.list[i].Name, name) {
			return f.list[i].Value, true
		}
	}
	return "", false
}

// Count returns how many fields have that name.
func (f *Fields) Count(name string) int {
	n := 0
	for i := range f.list {
		if equalFold(f.list[i].Name, name) {
			n++
		}
	}
	return n
}

// Set replaces every field of that name by one.
func (f *Fields) Set(name, value string) {
	for i := range f.list {
		if equalFold(f.list[i].Name, name) {
			f.list[i].Value = value
			f.deleteFrom(i+1, name)
			return
		}
	}
	f.Add(name, value)
}

// Del removes every field of that name.
func (f *Fields) Del(name string) { f.deleteFrom(0, name) }

// DeleteFunc removes every field for which drop is true, in one pass.
func (f *Fields) DeleteFunc(drop func(Field) bool) {
	kept := f.list[:0]
	for _, x := range f.list {
		if !drop(x) {
			kept = append(kept, x)
		}
	}
	f.list = kept
}

// Reset empties the list and keeps its memory.
func (f *Fields) Reset() { f.list = f.list[:0] }

// AppendAll appends the fields of g.
func (f *Fields) AppendAll(g *Fields) { f.list = append(f.list, g.list...) }

func (f *Fields) deleteFrom(start int, name string) {
	kept := f.list[:start]
	for _, x := range f.list[start:] {
		if !equalFold(x.Name, name) {
			kept = append(kept, x)
		}
	}
	f.list = kept
}

// equalFold compares ASCII names without case and without allocation.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x |= 0x20; x != y|0x20 || x < 'a' || x > 'z' {
			return false
		}
	}
	return true
}

// Head is the head of a request as the pipeline sees it.
type Head struct {
	Method string
	// Target is the request target as received.
	Target string
	// Path is the one canonical path used to match, to authorise and to
	// forward: percent-encoding normalised, no dot segments, no empty segments.
	Path string
	// RawQuery is the query without "?", as received.
	RawQuery string
	// Host is the authority that was asked for, lower case, port included.
	Host string
	// Proto is "HTTP/1.1", "HTTP/2.0" and so on.
	Proto  string
	Fields Fields
	// ContentLength is the body's length, 0 for none, -1 when it is unknown
	// until the body ends (chunked).
	ContentLength int64
	// Peer is the transport peer.
	Peer netip.AddrPort
	// TLS tells whether the client came over TLS.
	TLS bool
}

// RespHead is the head of an answer.
type RespHead struct {
	Status int
	Fields Fields
	// ContentLength is the body's length, -1 when it is streamed.
	ContentLength int64
}

// Inbound is the client's side of one exchange: the fast HTTP/1.1 wire, or an
// adapter over net/http. The pipeline calls it from one goroutine, but an
// [Outbound] may Read from one of its own until its Stream is closed, and
// OnGone's callback comes from another. Everything it hands out is leased until
// the function that serves the exchange returns: the log phase and the record
// come after End.
type Inbound interface {
	// Head is the request's head; the pipeline may change its fields.
	Head() *Head
	// Body gathers the whole body, at most max bytes. More is
	// [CodeTooLarge]; a body that stalls or breaks off is [CodeSlowClient] or
	// [CodeClientGone]. Call either Body or Read, not both.
	Body(max int64) ([]byte, error)
	// Read streams the body as an io.Reader, with the same errors.
	Read(p []byte) (int, error)
	// Begin sets the head of the answer; it leaves together with the first
	// Write, in one system call.
	Begin(*RespHead) error
	// Write sends one piece: one write, one flush; an empty one sends the head
	// alone. It blocks while the client is slow, which is the back-pressure; the
	// error is [CodeClientGone].
	Write(chunk []byte) error
	// End completes the answer. It is called exactly once, unless Abort is.
	End(trailers *Fields) error
	// Abort breaks the answer off in a way the client can tell from a
	// complete one (a closed connection, a reset stream).
	Abort()
	// OnGone sets what to call, once and possibly from another goroutine, when
	// the client goes away before End; at once when it has gone already. nil
	// removes it and waits for a call that is under way, which must therefore be
	// quick and call nothing of this Inbound.
	OnGone(func())
	// Tunnel takes the connection over after a protocol switch, with bytes
	// that were read ahead. It is [CodeUnsupported] where the transport cannot.
	Tunnel() (net.Conn, []byte, error)
}

// Outbound is the targets' side: a pool of connections. It is safe for
// concurrent use.
type Outbound interface {
	// Do sends the call and returns once the answer's head is there. The call
	// belongs to it until it returns an error or its Stream is closed, and to
	// its caller afterwards. Errors:
	// [CodeTimeout] when a phase took too long, [CodeProviderError] when the
	// target could not be reached, broke off, or did not answer in HTTP,
	// [CodeClientGone] after call.Stop. [Call.Sent] tells whether a byte of the
	// request may have reached the target.
	Do(call *Call) (Stream, error)
}

// Stream is one answer from a target, read by one goroutine.
type Stream interface {
	// Head is the answer's head, valid until Close.
	Head() *RespHead
	// Next returns the next piece of the body, leased until the following
	// Next or Close. io.EOF ends a complete body; [CodeProviderError] one that
	// broke off, [CodeTimeout] one that fell silent.
	Next() ([]byte, error)
	// Trailers are valid after Next returned io.EOF; nil when there are none.
	Trailers() *Fields
	// Close gives the connection back, or closes it when the body was not read
	// to its end. It may be called twice.
	Close()
}

// Call is one request to a target.
type Call struct {
	// Scheme is http or https; Addr is host:port to dial; ServerName is the TLS
	// name (the host of Addr when empty).
	Scheme, Addr, ServerName string
	TLSSkipVerify            bool
	Method                   string
	// Target is the request target in origin form: path and query.
	Target string
	// Host is the Host field.
	Host   string
	Fields Fields
	// Body is the whole body in pieces, sent as they stand; with Stream nil its
	// length is the content length.
	Body [][]byte
	// Stream, when set, is read for the body instead of Body.
	Stream interface{ Read(p []byte) (int, error) }
	// ContentLength of Stream; -1 sends it chunked.
	ContentLength int64
	// Connect, FirstByte, Idle bound the phases; 0 is unbounded.
	Connect, FirstByte, Idle time.Duration
	// Replayable says that the body may be sent again by the pool, on a reused
	// connection that turns out stale before a byte was received.
	Replayable bool
	// Sent is set by Outbound before the first request byte may have left.
	Sent bool
	// Before, when set, is called once there is a connection and before the first
	// byte of the request leaves, at most once for the call; an error ends the
	// call with it, unsent. What has to be durable before a provider is called
	// overlaps with the dial this way.
	Before func() error

	stop Stopper
}

// Reset makes the call ready for another use and keeps its memory. Its Outbound
// has returned an error, or its Stream is closed: nobody else holds it then.
func (c *Call) Reset() {
	fields, body := c.Fields, c.Body[:0]
	fields.Reset()
	clear(body[:cap(body)])
	*c = Call{Fields: fields, Body: body}
}

// Stopper returns the switch that ends this call from another goroutine.
func (c *Call) Stopper() *Stopper { return &c.stop }

// Stopper lets one goroutine end another's call: the client went away, or a
// deadline passed. It is safe for concurrent use; the zero value is ready.
type Stopper struct {
	mu      sync.Mutex
	stopped bool
	stop    func()
}

// Stop ends the call now, or as soon as it is bound. It is idempotent.
func (s *Stopper) Stop() {
	s.mu.Lock()
	stop := s.stop
	s.stop, s.stopped = nil, true
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Stopped reports whether Stop was called.
func (s *Stopper) Stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Bind sets what Stop does: an Outbound calls it with its cancellation and with
// nil once the call is over. If Stop came first, it runs stop at once.
func (s *Stopper) Bind(stop func()) {
	s.mu.Lock()
	late := s.stopped && stop != nil
	if !late {
		s.stop = stop
	}
	s.mu.Unlock()
	if late {
		stop()
	}
}
