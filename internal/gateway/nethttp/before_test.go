package nethttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"crypto/tls"
	"crypto/x509"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway/nethttp"
	"github.com/sluicegate/sluice/internal/wire"
)

// counter is a target that counts connections, and the bytes that came on them.
type counter struct {
	addr         string
	conns, bytes atomic.Int64
	// hangUp closes each connection that has served, without a word: one that is
	// used again is stale.
	hangUp atomic.Bool
}

// counting counts what is read.
type counting struct {
	net.Conn
	bytes *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	c := &counter{addr: ln.Addr().String()}
	go func() { // ends with the listener
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.conns.Add(1)
			go c.serve(counting{conn, &c.bytes})
		}
	}()
	return c
}

// serve answers request after request.
func (c *counter) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for served := 0; ; served++ {
		req, err := http.ReadRequest(r)
		if err != nil || served > 0 && c.hangUp.Load() {
			return
		}
		io.Copy(io.Discard, req.Body)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

// outbounds are the transports that a gateway may use.
func outbounds(t *testing.T) map[string]sluice.Outbound {
	t.Helper()
	dialer := &net.Dialer{}
	pool := wire.NewPool(wire.PoolConfig{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, addr)
	}})
	t.Cleanup(pool.Close)
	return map[string]sluice.Outbound{"net/http": newOutbound(t, nethttp.OutboundConfig{}), "wire": pool}
}

// ask makes a POST with a body and reads the answer.
func ask(o sluice.Outbound, addr string, before func() error) (string, *sluice.Call, error) {
	call := callTo(addr)
	call.Method, call.Body, call.Before = "POST", [][]byte{[]byte("hello")}, before
	s, err := o.Do(call)
	if err != nil {
		return "", call, err
	}
	defer s.Close()
	body, err := readAll(s)
	return body, call, err
}

// What has to be written down before a provider is called must be written down
// before its first byte: when that fails, the provider hears nothing, and the next
// call goes through.
func TestBeforeRefusesUnsent(t *testing.T) {
	refusal := sluice.Errorf(sluice.CodeUnavailable, "the journal is full")
	for name, o := range outbounds(t) {
		c := newCounter(t)
		for _, warm := range []bool{false, true} {
			if warm {
				if body, _, err := ask(o, c.addr, nil); body != "ok" || err != nil {
					t.Fatalf("%s: %q %v", name, body, err)
				}
			}
			bytes, calls := c.bytes.Load(), 0
			_, call, err := ask(o, c.addr, func() error { calls++; return refusal })
			if !errors.Is(err, refusal) || call.Sent || calls != 1 || c.bytes.Load() != bytes {
				t.Errorf("%s, warm %v: %v, sent %v, %d calls, %d bytes", name, warm, err, call.Sent, calls, c.bytes.Load()-bytes)
			}
		}
		if body, _, err := ask(o, c.addr, func() error { return nil }); body != "ok" || err != nil {
			t.Errorf("%s afterwards: %q %v", name, body, err)
		}
		// net/http has no way to give a connection back that nothing was written to.
		if n := c.conns.Load(); name == "wire" && n != 1 {
			t.Errorf("%s: %d connections, want the one", name, n)
		}
	}
}

// A call that meets a stale connection is opened in the books once, not twice.
func TestBeforeRunsOnceForReplays(t *testing.T) {
	for name, o := range outbounds(t) {
		c := newCounter(t)
		if _, _, err := ask(o, c.addr, nil); err != nil {
			t.Fatal(err)
		}
		c.hangUp.Store(true)
		calls := 0
		body, call, err := ask(o, c.addr, func() error { calls++; return nil })
		if body != "ok" || err != nil || calls != 1 || !call.Sent || c.conns.Load() != 2 {
			t.Errorf("%s: %q %v, %d calls, sent %v, %d connections", name, body, err, calls, call.Sent, c.conns.Load())
		}
	}
}

// A client that goes away while its request is being written down costs nothing:
// the provider is not called any more.
func TestStopDuringBefore(t *testing.T) {
	for name, o := range outbounds(t) {
		c := newCounter(t)
		for _, warm := range []bool{false, true} {
			if warm {
				if _, _, err := ask(o, c.addr, nil); err != nil {
					t.Fatal(err)
				}
			}
			bytes := c.bytes.Load()
			call := callTo(c.addr)
			call.Method, call.Body = "POST", [][]byte{[]byte("hello")}
			call.Before = func() error {
				call.Stopper().Stop()
				return nil
			}
			_, err := o.Do(call)
			if sluice.CodeOf(err) != sluice.CodeClientGone || call.Sent || c.bytes.Load() != bytes {
				t.Errorf("%s, warm %v: %v, sent %v, %d bytes", name, warm, err, call.Sent, c.bytes.Load()-bytes)
			}
		}
		if body, _, err := ask(o, c.addr, nil); body != "ok" || err != nil {
			t.Errorf("%s afterwards: %q %v", name, body, err)
		}
	}
}

// Before comes behind the dial: a target that cannot be reached leaves nothing to
// write down.
func TestBeforeNeedsAConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	for name, o := range outbounds(t) {
		calls := 0
		if _, _, err := ask(o, ln.Addr().String(), func() error { calls++; return nil }); sluice.CodeOf(err) != sluice.CodeProviderError || calls != 0 {
			t.Errorf("%s: %v, %d calls", name, err, calls)
		}
	}
}

// A refused call on a connection of HTTP/2 must not take others' streams with it.
func TestBeforeOverHTTP2(t *testing.T) {
	var requests, conns atomic.Int64
	release := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.(http.Flusher).Flush()
		<-release
		io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	o := newOutbound(t, nethttp.OutboundConfig{TLS: &tls.Config{RootCAs: roots}})
	secure := func(before func() error) *sluice.Call {
		call := callTo(server.Listener.Addr().String())
		call.Scheme, call.Before, call.FirstByte = "https", before, 5*time.Second
		return call
	}
	first, err := o.Do(secure(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	refusal := errors.New("refused")
	call := secure(func() error { return refusal })
	if _, err := o.Do(call); !errors.Is(err, refusal) || call.Sent || requests.Load() != 1 {
		t.Errorf("%v, sent %v, %d requests", err, call.Sent, requests.Load())
	}
	close(release)
	if body, err := readAll(first); body != "HTTP/2.0" || err != nil || conns.Load() != 1 {
		t.Errorf("the other stream: %q %v, %d connections", body, err, conns.Load())
	}
}
