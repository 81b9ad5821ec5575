//go:build linux && !race

package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// Losing this means that every waiting stream holds 8 KiB of stack instead of 4:
// the collector halves a stack only while less than a quarter of it is in use,
// and one more frame on the way to the wait is enough to undo that.
func TestWaitingStreamsKeepSmallStacks(t *testing.T) {
	const streams = 200
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	f := newFixture(t, overWire)
	f.add(&sluice.Provider{Meta: meta("platform", "p"), Type: "openai-compatible", BaseURL: "http://" + target.Addr().String() + "/v1", APIKey: "sk-p"})
	f.apply()
	request := fmt.Sprintf(post("/v1/chat/completions", chatBody("m1", `,"stream":true`)), f.token)
	before := stacks()
	for range streams {
		waitingStream(t, f, target, request)
	}
	if each := (stacks() - before) / streams; each > 6<<10 {
		t.Errorf("%d bytes of stack a stream, want 4 KiB", each)
	}
}

// waitingStream starts a stream and leaves it, and both of its ends, waiting
// behind the first event. The test plays client and target itself, so that the
// only goroutine of a stream is the gateway's.
func waitingStream(t *testing.T, f *fixture, target net.Listener, request string) {
	t.Helper()
	client, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if _, err := io.WriteString(client, request); err != nil {
		t.Fatal(err)
	}
	upstream, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { upstream.Close() })
	asked, err := http.ReadRequest(bufio.NewReader(upstream))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, asked.Body); err != nil {
		t.Fatal(err)
	}
	event := "data: " + chatEvents[0] + "\n\n"
	fmt.Fprintf(upstream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(event), event)
	r := bufio.NewReader(client)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "data: ") {
			return
		}
	}
}

// stacks is the memory of all stacks after two collections.
func stacks() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}
