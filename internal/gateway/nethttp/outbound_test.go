package nethttp_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway/nethttp"
	"github.com/sluicegate/sluice/internal/netguard"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// callTo is a GET to an address.
func callTo(addr string) *sluice.Call {
	return &sluice.Call{Scheme: "http", Addr: addr, Host: "service.test", Method: "GET", Target: "/p?q=1", Replayable: true}
}

// readAll reads an answer to its end.
func readAll(s sluice.Stream) (string, error) {
	var out strings.Builder
	for {
		b, err := s.Next()
		if errors.Is(err, io.EOF) {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
		out.Write(b)
	}
}

func newOutbound(t *testing.T, cfg nethttp.OutboundConfig) *nethttp.Outbound {
	o := nethttp.NewOutbound(cfg)
	t.Cleanup(o.Close)
	return o
}

// The request must leave as it was put together: nothing added, nothing followed,
// nothing unpacked.
func TestOutboundAddsNothing(t *testing.T) {
	u := sluicetest.NewUpstream(t, sluicetest.Whole(302, "text/plain", "\x1f\x8bnot really", "Location: /elsewhere", "Content-Encoding: gzip"))
	o := newOutbound(t, nethttp.OutboundConfig{})
	call := callTo(u.Addr())
	call.Method, call.Body = "POST", [][]byte{[]byte("he"), []byte("llo")}
	call.Fields.Add("X-One", "1")
	s, err := o.Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	body, err := readAll(s)
	if s.Head().Status != 302 || body != "\x1f\x8bnot really" || err != nil || s.Head().Fields.Get("Content-Encoding") != "gzip" || s.Head().ContentLength != int64(len(body)) {
		t.Errorf("%+v %q %v", s.Head(), body, err)
	}
	r := u.Requests()[0]
	if len(u.Requests()) != 1 || r.Target != "/p?q=1" || r.Host != "service.test" || string(r.Body) != "hello" || !call.Sent {
		t.Errorf("request %+v", r)
	}
	for name := range r.Header {
		if name != "X-One" && name != "Content-Length" {
			t.Errorf("field %s was added: %q", name, r.Header[name])
		}
	}
}

// Each phase has a bound of its own; without one a silent target holds a client
// for ever.
func TestOutboundTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		answer sluicetest.Answer
		change func(*sluice.Call)
	}{
		"first byte": {sluicetest.Hang(), func(c *sluice.Call) { c.FirstByte = 50 * time.Millisecond }},
		"idle":       {sluicetest.SSEThenHang(0, "a"), func(c *sluice.Call) { c.FirstByte, c.Idle = 5*time.Second, 50*time.Millisecond }},
	} {
		u := sluicetest.NewUpstream(t, c.answer)
		call := callTo(u.Addr())
		c.change(call)
		s, err := newOutbound(t, nethttp.OutboundConfig{}).Do(call)
		if err == nil {
			_, err = readAll(s)
			s.Close()
		}
		if sluice.CodeOf(err) != sluice.CodeTimeout {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A stream that keeps talking outlives its idle bound.
	u := sluicetest.NewUpstream(t, sluicetest.SSE(30*time.Millisecond, "a", "b", "c", "d", "e", "f"))
	call := callTo(u.Addr())
	call.FirstByte, call.Idle = 100*time.Millisecond, 100*time.Millisecond
	s, err := newOutbound(t, nethttp.OutboundConfig{}).Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if body, err := readAll(s); err != nil || !strings.Contains(body, "data: f") {
		t.Errorf("%q %v", body, err)
	}
}

// Stop must end a call in every phase, within milliseconds.
func TestOutboundStop(t *testing.T) {
	for name, c := range map[string]struct {
		answer sluicetest.Answer
		when   time.Duration
	}{"before": {sluicetest.Hang(), 0}, "waiting": {sluicetest.Hang(), 50 * time.Millisecond}, "reading": {sluicetest.SSEThenHang(0, "a"), 50 * time.Millisecond}} {
		u := sluicetest.NewUpstream(t, c.answer)
		call := callTo(u.Addr())
		stopped := make(chan time.Time, 1)
		stop := func() { stopped <- time.Now(); call.Stopper().Stop() }
		if c.when == 0 {
			stop()
		} else {
			time.AfterFunc(c.when, stop)
		}
		s, err := newOutbound(t, nethttp.OutboundConfig{}).Do(call)
		if err == nil {
			_, err = readAll(s)
			s.Close()
		}
		if took := time.Since(<-stopped); sluice.CodeOf(err) != sluice.CodeClientGone || took > time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}

// A tenant's address must not lead into the operator's network, whatever its
// name resolves to (T-CVE 8).
func TestOutboundPolicy(t *testing.T) {
	u := sluicetest.NewUpstream(t)
	_, err := newOutbound(t, nethttp.OutboundConfig{Policy: netguard.Tenant}).Do(callTo(strings.Replace(u.Addr(), "127.0.0.1", "localhost", 1)))
	if sluice.CodeOf(err) != sluice.CodeProviderError || !errors.Is(err, netguard.ErrForbidden) || u.Connections() != 0 {
		t.Errorf("%v, %d connections", err, u.Connections())
	}
	if _, err := newOutbound(t, nethttp.OutboundConfig{}).Do(callTo("169.254.169.254:80")); !errors.Is(err, netguard.ErrForbidden) {
		t.Errorf("metadata: %v", err)
	}
}

// A connection is given back when an answer was read to its end, and never
// otherwise: the rest of an old answer must not begin the next one.
func TestOutboundPooling(t *testing.T) {
	u := sluicetest.NewUpstream(t, sluicetest.Text(200, "whole"))
	o := newOutbound(t, nethttp.OutboundConfig{})
	for i := range 4 {
		s, err := o.Do(callTo(u.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		if i < 3 {
			if body, err := readAll(s); body != "whole" || err != nil {
				t.Errorf("%q %v", body, err)
			}
		}
		s.Close()
		s.Close() // twice is allowed
	}
	if n := u.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	u.Script(sluicetest.SSEThenHang(0, "old"), sluicetest.Text(200, "new"))
	s, err := o.Do(callTo(u.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err = o.Do(callTo(u.Addr())); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if body, err := readAll(s); body != "new" || err != nil {
		t.Errorf("%q %v", body, err)
	}
}

// Certificates are checked by name unless the operator says otherwise, and
// HTTP/2 is spoken where the target does.
func TestOutboundTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	addr := server.Listener.Addr().String()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting := newOutbound(t, nethttp.OutboundConfig{TLS: &tls.Config{RootCAs: roots}})
	for name, c := range map[string]struct {
		o    *nethttp.Outbound
		call func(*sluice.Call)
		ok   bool
	}{
		"known":      {trusting, func(*sluice.Call) {}, true},
		"by name":    {trusting, func(c *sluice.Call) { c.ServerName = "example.com" }, true},
		"wrong name": {trusting, func(c *sluice.Call) { c.ServerName = "other.test" }, false},
		"unknown":    {newOutbound(t, nethttp.OutboundConfig{}), func(*sluice.Call) {}, false},
		"skipped":    {newOutbound(t, nethttp.OutboundConfig{}), func(c *sluice.Call) { c.TLSSkipVerify = true }, true},
	} {
		call := callTo(addr)
		call.Scheme = "https"
		c.call(call)
		s, err := c.o.Do(call)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if body, _ := readAll(s); body != "HTTP/2.0" {
				t.Errorf("%s: %s", name, body)
			}
			s.Close()
		}
	}
}
