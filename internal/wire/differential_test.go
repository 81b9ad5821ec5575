package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/wire"
)

// Where we and net/http differ, on purpose. Everything else that we accept it
// accepts too, with the same meaning.
//
//	field                 | net/http          | wire
//	Host, TE, hop fields  | left in Header    | taken out (see the package comment)
//	names with "_"        | kept              | dropped
//	Content-Length twice  | equal ones merge  | refused
//	blank line first      | malformed         | refused
//	bare LF               | taken as CRLF     | refused
//	folded lines          | joined            | refused
//	Expect                | left to handlers  | only 100-continue
//	HTTP/1.0 with coding  | coding ignored    | refused
//	method "CONNECT"      | served            | 501
//
// disagree compares the two parsers on one head that ours accepts; "" is
// agreement.
func disagree(head []byte) string {
	ours, err := wire.ParseRequest(bytes.Clone(head))
	if err != nil {
		return ""
	}
	theirs, err := http.ReadRequest(bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), strings.NewReader("0\r\n\r\n")), 64<<10))
	if err != nil {
		return "net/http refuses: " + err.Error()
	}
	h := &ours.Head
	switch {
	case theirs.Method != h.Method:
		return "method"
	case theirs.RequestURI != h.Target:
		return "target"
	case h.Host != strings.ToLower(theirs.Host):
		return "host " + theirs.Host
	case h.Path != "*" && rawPath(theirs) != h.Path:
		return "path " + rawPath(theirs)
	case theirs.URL.RawQuery != h.RawQuery:
		return "query " + theirs.URL.RawQuery
	case theirs.ContentLength != h.ContentLength:
		return "length"
	case (len(theirs.TransferEncoding) == 1) != ours.Chunked:
		return "coding"
	case theirs.Close && !ours.Close:
		return "close"
	}
	for i := range h.Fields.Len() {
		f := h.Fields.At(i)
		found := false
		for _, v := range theirs.Header.Values(f.Name) {
			found = found || v == f.Value
		}
		if !found && f.Name != "Connection" && f.Name != "Upgrade" {
			return "field " + f.Name
		}
	}
	return ""
}

// rawPath is the path of a request as it stood in the target.
func rawPath(r *http.Request) string {
	if r.URL.RawPath != "" {
		return r.URL.RawPath
	}
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if _, rest, ok := strings.Cut(target, "://"); ok && target[0] != '/' {
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			return "/"
		}
		return rest[i:]
	}
	return target
}

// seeds are heads that exercise every branch of the parser.
func seeds() []string {
	list := []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a.b:80/c%20d?e=%zz HTTP/1.1\r\nHost: a\r\nX_Y: z\r\n\r\n",
		"GET //double//slash/../.;/%2e%2F HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:8080\r\nAuthorization: Bearer k\r\nContent-Type: application/json\r\nContent-Length: 12\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close, x\r\nX: y\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:1\r\n\r\n",
		"GET /w HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	}
	for _, x := range refusedHeads {
		if len(x.head) < 1<<10 {
			list = append(list, x.head)
		}
	}
	return list
}

// A head that the gateway reads one way and a back end written in Go another is
// the raw material of smuggling: 200,000 mutations, the same each run.
func TestDifferentialNetHTTP(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	corpus := seeds()
	accepted := 0
	for range 200_000 {
		head := mutate(rng, corpus)
		if end := wire.HeadEnd(head); end != len(head) {
			continue
		}
		if _, err := wire.ParseRequest(bytes.Clone(head)); err == nil {
			accepted++
		}
		if d := disagree(head); d != "" {
			t.Fatalf("%q: %s", head, d)
		}
	}
	if accepted < 5_000 {
		t.Fatalf("only %d mutations were accepted: the test compares nothing", accepted)
	}
}

// mutate changes one to four bytes, spans or lines of a seed.
func mutate(rng *rand.Rand, corpus []string) []byte {
	const spice = "\r\n\t :;,/?#%\x00\x0b\x7f\xff+-0aA_*@[]\""
	b := []byte(corpus[rng.IntN(len(corpus))])
	for range 1 + rng.IntN(4) {
		at := rng.IntN(len(b))
		switch rng.IntN(5) {
		case 0:
			b[at] = spice[rng.IntN(len(spice))]
		case 1:
			b = append(b[:at], append([]byte{spice[rng.IntN(len(spice))]}, b[at:]...)...)
		case 2:
			b = append(b[:at], b[min(len(b), at+1+rng.IntN(3)):]...)
		case 3: // a line of another seed
			lines := strings.SplitAfter(corpus[rng.IntN(len(corpus))], "\r\n")
			if i := bytes.Index(b, []byte("\r\n")); i >= 0 {
				b = append(b[:i+2:i+2], append([]byte(lines[rng.IntN(len(lines))]), b[i+2:]...)...)
			}
		case 4:
			b[at] ^= byte(1 << rng.IntN(8))
		}
		if len(b) == 0 {
			return []byte("\r\n\r\n")
		}
	}
	return b
}

// The parser must neither panic nor disagree with net/http on anything.
func FuzzRequestHead(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		if d := disagree(head); d != "" {
			t.Errorf("%q: %s", head, d)
		}
	})
}

// The same for answers: an upstream must not be able to make us frame its
// answer otherwise than net/http does, or to make us panic.
func FuzzResponseHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n",
		"HTTP/1.0 204 \r\nConnection: keep-alive\r\n\r\n",
		"HTTP/1.1 304 Not\tModified\r\nContent-Length: 10\r\nConnection: x\r\nX: y\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
	} {
		f.Add([]byte(s), "GET")
		f.Add([]byte(s), "HEAD")
	}
	f.Fuzz(func(t *testing.T, head []byte, method string) {
		if method != "GET" && method != "HEAD" {
			return
		}
		h, framing, _, err := wire.ParseResponse(bytes.Clone(head), method)
		if err != nil || h.Status < 200 {
			return
		}
		r, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(head), 64<<10), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: net/http refuses: %v", head, err)
		}
		want := framing
		switch {
		case len(r.TransferEncoding) == 1:
			want = "chunked"
		case r.ContentLength > 0:
			want = "length"
		case method == "HEAD":
			want = "none"
		}
		if r.StatusCode != h.Status || want != framing && framing != "none" {
			t.Errorf("%q: status %d, framing %s, net/http %d %s", head, h.Status, framing, r.StatusCode, want)
		}
	})
}

// A chunked body must mean the same however it is cut, and what net/http reads.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"3\r\nabc\r\n0\r\n\r\n", "0\r\n\r\n", "1;x=y\r\na\r\n0\r\nX: y\r\n\r\nGET", "ff\r\n", "a\r\n0123456789\r\n00\r\n\r\n",
	} {
		f.Add([]byte(s), uint8(2))
	}
	f.Fuzz(func(t *testing.T, body []byte, piece uint8) {
		whole, left, _, err := wire.Dechunk(body, len(body)+1)
		cut, cutLeft, _, cutErr := wire.Dechunk(body, int(piece)+1)
		if (err == nil) != (cutErr == nil) || err == nil && (!bytes.Equal(whole, cut) || left != cutLeft) {
			t.Fatalf("%q: whole %q, %d, %v; in pieces of %d %q, %d, %v", body, whole, left, err, piece, cut, cutLeft, cutErr)
		}
		if err != nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(
			strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), bytes.NewReader(body))))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(theirs, whole) {
			t.Errorf("%q: net/http reads %q, %v", body, theirs, err)
		}
	})
}
