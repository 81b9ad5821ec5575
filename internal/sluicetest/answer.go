package sluicetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Answer plays one answer on the wire; w and r are valid until it returns.
type Answer func(w *Wire, r Request)

// Text answers with a whole body of plain text. Fields are "Name: value".
func Text(status int, body string, fields ...string) Answer {
	return Whole(status, "text/plain", body, fields...)
}

// JSON answers with a whole JSON body.
func JSON(status int, body string, fields ...string) Answer {
	return Whole(status, "application/json", body, fields...)
}

// Whole answers with a body of a known length.
func Whole(status int, contentType, body string, fields ...string) Answer {
	return func(w *Wire, r Request) {
		var b strings.Builder
		fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", status, http.StatusText(status), contentType, len(body))
		for _, f := range fields {
			b.WriteString(f + "\r\n")
		}
		b.WriteString("\r\n")
		if r.Method != http.MethodHead {
			b.WriteString(body)
		}
		w.Print(b.String())
	}
}

// Raw sends the bytes and closes the connection.
func Raw(text string) Answer {
	return func(w *Wire, _ Request) {
		w.Print(text)
		w.Close()
	}
}

// SSEHead is the head of a streamed answer; chunks follow.
const SSEHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

// SSE streams each event as "data: event\n\n", with a pause after each.
func SSE(pace time.Duration, events ...string) Answer {
	return func(w *Wire, _ Request) {
		if stream(w, pace, events) {
			w.Print("0\r\n\r\n")
		}
	}
}

// SSEThenReset streams the events and then resets the connection.
func SSEThenReset(pace time.Duration, events ...string) Answer {
	return func(w *Wire, _ Request) {
		stream(w, pace, events)
		w.Sleep(20 * time.Millisecond) // lets the events arrive before the reset overtakes them
		w.Reset()
	}
}

// SSEThenHang streams the events and then falls silent.
func SSEThenHang(pace time.Duration, events ...string) Answer {
	return func(w *Wire, _ Request) {
		stream(w, pace, events)
		w.Hang()
	}
}

func stream(w *Wire, pace time.Duration, events []string) bool {
	if w.Print(SSEHead) != nil {
		return false
	}
	for _, e := range events {
		if w.Chunk([]byte("data: "+e+"\n\n")) != nil || !w.Sleep(pace) {
			return false
		}
	}
	return true
}

// Hang takes the request and never answers.
func Hang() Answer { return func(w *Wire, _ Request) { w.Hang() } }

// Reset takes the request and resets the connection without an answer.
func Reset() Answer { return func(w *Wire, _ Request) { w.Reset() } }

// ResetAfterHead promises a body and resets the connection.
func ResetAfterHead() Answer {
	return func(w *Wire, _ Request) {
		w.Print("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
		w.Sleep(20 * time.Millisecond)
		w.Reset()
	}
}

// ShortBody promises more bytes than it sends and closes the connection.
func ShortBody(contentType, body string) Answer {
	return Raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType, len(body)+100, body))
}

// Garbage answers with something that is not HTTP.
func Garbage() Answer { return Raw("\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n") }

// EndlessHead sends fields until the client gives up.
func EndlessHead() Answer {
	return func(w *Wire, _ Request) {
		w.Print("HTTP/1.1 200 OK\r\n")
		for i := 0; w.Print(fmt.Sprintf("X-Field-%d: %s\r\n", i, strings.Repeat("x", 1000))) == nil; i++ {
		}
	}
}

// EndlessLine streams one SSE line that never ends, up to n bytes.
func EndlessLine(n int64) Answer { return repeat("text/event-stream", "data: {\"x\":\"", n) }

// Huge streams a body of n bytes of one JSON string.
func Huge(n int64) Answer { return repeat("application/json", "{\"x\":\"", n) }

func repeat(contentType, start string, n int64) Answer {
	return func(w *Wire, _ Request) {
		w.Print("HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\nTransfer-Encoding: chunked\r\n\r\n")
		w.Chunk([]byte(start))
		block := bytes.Repeat([]byte("x"), 64<<10)
		for ; n > 0; n -= int64(len(block)) {
			if w.Chunk(block) != nil {
				return
			}
		}
		w.Print("0\r\n\r\n")
	}
}

// GzipBomb answers with n zero bytes, compressed.
func GzipBomb(n int64) Answer {
	// Made before anybody waits for it: compressing takes longer than a target
	// may be silent.
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for block := make([]byte, 1<<20); n > 0; n -= int64(len(block)) {
		z.Write(block)
	}
	z.Close()
	return Whole(200, "application/json", b.String(), "Content-Encoding: gzip")
}
