package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// mockMain is the upstream: it answers from memory, as cheaply as we can.
func mockMain([]string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	m := newMock()
	return wire.NewServer(wire.Config{Handler: m.serve}).Serve(ln)
}

// mock holds the answers, made once.
type mock struct {
	plain, chat []byte
	burst, slow [][]byte
}

func newMock() *mock {
	m := &mock{plain: bytes.Repeat([]byte("a"), plainAnswer), chat: []byte(chatAnswer)}
	for i := range burstEvents {
		m.burst = append(m.burst, []byte(event(i, burstEvents)))
	}
	for i := range slowEvents {
		m.slow = append(m.slow, []byte(event(i, slowEvents)))
	}
	return m
}

func (m *mock) serve(x sluice.Inbound) {
	body, err := x.Body(1 << 20)
	if err != nil {
		x.Abort()
		return
	}
	switch {
	case !strings.HasSuffix(x.Head().Path, "/chat/completions"):
		whole(x, "application/octet-stream", m.plain)
	case !bytes.Contains(body, []byte(`"stream":true`)):
		whole(x, "application/json", m.chat)
	case bytes.Contains(body, []byte(`"bench-slow"`)):
		events(x, m.slow, slowPause)
	default:
		events(x, m.burst, 0)
	}
}

func whole(x sluice.Inbound, kind string, body []byte) {
	h := sluice.RespHead{Status: 200, ContentLength: int64(len(body))}
	h.Fields.Add("Content-Type", kind)
	if x.Begin(&h) == nil && x.Write(body) == nil {
		x.End(nil)
	}
}

func events(x sluice.Inbound, list [][]byte, pause time.Duration) {
	h := sluice.RespHead{Status: 200, ContentLength: -1}
	h.Fields.Add("Content-Type", "text/event-stream")
	if x.Begin(&h) != nil {
		return
	}
	for _, e := range list {
		time.Sleep(pause)
		if x.Write(e) != nil {
			return
		}
	}
	x.End(nil)
}
