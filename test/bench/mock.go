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
	plain, chat, messages []byte
	burst, slow, many     [][]byte
	// translatedBurst and translatedMany are Anthropic's streams.
	translatedBurst, translatedMany [][]byte
}

func newMock() *mock {
	m := &mock{plain: bytes.Repeat([]byte("a"), plainAnswer), chat: []byte(chatAnswer), messages: []byte(messagesAnswer)}
	for i := range burstEvents {
		m.burst = append(m.burst, []byte(event(i, burstEvents)))
	}
	for i := range slowEvents {
		m.slow = append(m.slow, []byte(event(i, slowEvents)))
	}
	for i := range manyEvents {
		m.many = append(m.many, []byte(event(i, manyEvents)))
	}
	m.translatedBurst = messagesEvents(burstEvents)
	m.translatedMany = openedWith(messagesEvents(manyEvents))
	return m
}

func (m *mock) serve(x sluice.Inbound) {
	body, err := x.Body(4 << 20)
	if err != nil {
		x.Abort()
		return
	}
	path, stream := x.Head().Path, len(body) < 64<<10 && bytes.Contains(body, []byte(`"stream":true`))
	switch {
	case strings.HasSuffix(path, "/v1/messages"):
		m.serveMessages(x, body, stream)
	case !strings.HasSuffix(path, "/chat/completions"):
		whole(x, "application/octet-stream", m.plain)
	case !stream:
		whole(x, "application/json", m.chat)
	case bytes.Contains(body, []byte(`"bench-slow"`)):
		events(x, m.slow, slowPause)
	case bytes.Contains(body, []byte(`"claude-slow"`)):
		events(x, m.many, manyPause)
	default:
		events(x, m.burst, 0)
	}
}

// serveMessages answers as Anthropic's API.
func (m *mock) serveMessages(x sluice.Inbound, body []byte, stream bool) {
	switch {
	case !stream:
		whole(x, "application/json", m.messages)
	case bytes.Contains(body, []byte(`"claude-slow"`)):
		events(x, m.translatedMany, manyPause)
	default:
		events(x, m.translatedBurst, 0)
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
