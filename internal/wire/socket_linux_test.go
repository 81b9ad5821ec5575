package wire_test

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/wire"
)

// A short body that does not leave at once, because the target reads nothing,
// must not keep its answer from being heard.
func TestEarlyAnswerToAShortBody(t *testing.T) {
	// Buffers that are small before the window is announced: nothing of a
	// short body fits.
	small := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) })
	}}
	ln, err := small.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan bool)
	defer close(done)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nwho")
		<-done
	}()
	p := newPool(t, wire.PoolConfig{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			c.(*net.TCPConn).SetWriteBuffer(1)
		}
		return c, err
	}})
	call := get(ln.Addr().String())
	call.Method, call.Body = "POST", [][]byte{make([]byte, 16<<10)}
	call.Fields.Add("X", strings.Repeat("y", 15<<10))
	start := time.Now()
	h, body, err := fetch(p, call)
	if took := time.Since(start); err != nil || h.Status != 401 || body != "who" || took > 2*time.Second {
		t.Errorf("%+v %q %v after %v", h, body, err, took)
	}
}
