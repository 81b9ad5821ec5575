package store_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/sluicegate/sluice/internal/store"
)

// cutter is a network that breaks at a chosen moment: it forwards connections
// to a server until a client says COMMIT while it is armed.
type cutter struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	armed bool
	// deliver lets the server hear the COMMIT whose answer is cut off.
	deliver bool
	cuts    int
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &cutter{listener: l, to: to}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.forward(client)
		}
	}()
	return c
}

func (c *cutter) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	answered := make(chan struct{}) // closed once an answer finds the client gone
	go func() {
		defer close(answered)
		io.Copy(client, server)
		client.Close()
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buffer[:n]), []byte("commit")) && c.cut(client, server, buffer[:n], answered) {
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cut breaks the connection when armed. The server gets the COMMIT, if at all,
// after the client can no longer hear the answer.
func (c *cutter) cut(client, server net.Conn, commit []byte, answered <-chan struct{}) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return false
	}
	c.armed, c.cuts = false, c.cuts+1
	client.Close()
	if c.deliver {
		server.Write(commit)
		<-answered
	}
	return true
}

// Lost if it fails: a change that was made is reported as failed, or one that
// was not made is made twice, because the network broke during COMMIT.
func TestCommitWhoseAnswerIsLost(t *testing.T) {
	pg := server(t)
	network := newCutter(t, fmt.Sprintf("127.0.0.1:%d", pg.Port()))
	_, port, err := net.SplitHostPort(network.listener.Addr().String())
	must(t, err)
	direct := pg.Schema(t)
	db := open(t, store.Config{DSN: strings.Replace(direct, fmt.Sprintf("port=%d", pg.Port()), "port="+port, 1)})
	for i, deliver := range []bool{true, false, true, false} {
		network.mu.Lock()
		network.armed, network.deliver = true, deliver
		network.mu.Unlock()
		must(t, add(t.Context(), db, model(fmt.Sprintf("m%d", i))))
		s, err := open(t, store.Config{DSN: direct}).Snapshot(t.Context())
		must(t, err)
		if len(s.Models) != i+1 || s.Revision != uint64(i+1) || network.cuts != i+1 {
			t.Errorf("COMMIT delivered: %t: %d models, revision %d, %d cuts after %d writes", deliver, len(s.Models), s.Revision, network.cuts, i+1)
		}
	}
}
