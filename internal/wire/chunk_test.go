package wire_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/wire"
)

// A chunk size read differently than the back end does is a smuggled request.
func TestRefusedChunks(t *testing.T) {
	for why, body := range map[string]string{
		"no size":                  "\r\nabc\r\n0\r\n\r\n",
		"sign":                     "+3\r\nabc\r\n0\r\n\r\n",
		"minus":                    "-3\r\nabc\r\n0\r\n\r\n",
		"0x":                       "0x3\r\nabc\r\n0\r\n\r\n",
		"space before":             " 3\r\nabc\r\n0\r\n\r\n",
		"space after":              "3 \r\nabc\r\n0\r\n\r\n",
		"16 digits":                "0000000000000003\r\nabc\r\n0\r\n\r\n",
		"overflow":                 "ffffffffffffffff1\r\nabc\r\n0\r\n\r\n",
		"bare LF after size":       "3\nabc\r\n0\r\n\r\n",
		"bare CR after size":       "3\rabc\r\n0\r\n\r\n",
		"no CRLF after data":       "3\r\nabcd\r\n0\r\n\r\n",
		"LF after data":            "3\r\nabc\n0\r\n\r\n",
		"bare LF in extension":     "3;a\n\r\nabc\r\n0\r\n\r\n",
		"NUL in extension":         "3;a\x00\r\nabc\r\n0\r\n\r\n",
		"extension over 1 KiB":     "3;" + strings.Repeat("a", 1025) + "\r\nabc\r\n0\r\n\r\n",
		"extensions over 16 KiB":   strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\nx\r\n", 17) + "0\r\n\r\n",
		"bare LF in trailer":       "0\r\nX: y\n\r\n",
		"bare LF for a trailer":    "0\r\n\n",
		"bare CR in trailer":       "0\r\nX: a\rb\r\n\r\n",
		"folded trailer":           "0\r\nX: y\r\n z\r\n\r\n",
		"space in trailer name":    "0\r\nX : y\r\n\r\n",
		"trailers over 4 KiB":      "0\r\nX: " + strings.Repeat("a", 4<<10) + "\r\n\r\n",
		"33 trailers":              "0\r\n" + strings.Repeat("X: y\r\n", 34) + "\r\n",
		"ends within a chunk":      "5\r\nabc",
		"ends before the trailers": "3\r\nabc\r\n0\r\n",
	} {
		for _, piece := range []int{1, 3, 1 << 20} {
			if data, _, _, err := wire.Dechunk([]byte(body), piece); err == nil {
				t.Errorf("%s in pieces of %d: accepted as %q", why, piece, data)
			}
		}
	}
}

// However the bytes are cut by the network, the body is the same, the next
// request's bytes stay, and no trailer passes that others vouch for.
func TestDechunk(t *testing.T) {
	body := "3\r\nabc\r\n00A;ext=\"1\"\r\n0123456789\r\n0\r\n" +
		"X-Sum: 1\r\nX-Forwarded-For: 1\r\nX_Sum: 2\r\nAuthorization: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\nX-Consumer-Name: root\r\n\r\nGET /next"
	for piece := 1; piece < len(body)+1; piece++ {
		data, left, trailers, err := wire.Dechunk([]byte(body), piece)
		if err != nil || string(data) != "abc0123456789" || left != len("GET /next") {
			t.Fatalf("pieces of %d: %q, %d left, %v", piece, data, left, err)
		}
		if trailers.Len() != 1 || trailers.Get("x-sum") != "1" {
			t.Fatalf("pieces of %d: trailers %+v", piece, trailers)
		}
	}
	for n, want := range map[int]string{1: "1\r\n", 15: "f\r\n", 16: "10\r\n", 0xabcdef: "abcdef\r\n"} {
		if got := wire.AppendChunkSize(n); got != want {
			t.Errorf("size %d is %q", n, got)
		}
	}
}
