package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// differences are where we and net/http read a head differently, on purpose.
// Everything else that we accept it accepts too, with the same meaning.
var differences = []struct {
	why, head string
	// theirs tells what net/http makes of it, nil when it refuses too.
	theirs func(r *http.Request) bool
	// refused is our answer; otherwise ours tells what we make of it.
	refused sluice.Code
	ours    func(p wire.ParsedRequest) bool
}{
	{why: "hop-by-hop fields end here", head: "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\r\n",
		theirs: func(r *http.Request) bool { return len(r.Header) == 4 },
		ours:   func(p wire.ParsedRequest) bool { return p.Head.Fields.Len() == 0 }},
	{why: "an upgrade that is not to a websocket ends here", head: "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.Header.Get("Upgrade") == "h2c" },
		ours:   func(p wire.ParsedRequest) bool { return p.Head.Fields.Len() == 0 }},
	{why: "names with an underscore are dropped", head: "GET / HTTP/1.1\r\nHost: a\r\nX_Y: z\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.Header.Get("X_y") == "z" },
		ours:   func(p wire.ParsedRequest) bool { return p.Head.Fields.Len() == 0 }},
	{why: "the host is lower case", head: "GET / HTTP/1.1\r\nHost: A.Example\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.Host == "A.Example" },
		ours:   func(p wire.ParsedRequest) bool { return p.Head.Host == "a.example" }},
	{why: "equal lengths are not merged", head: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.ContentLength == 3 }, refused: sluice.CodeInvalidRequest},
	{why: "a length beside a coding is no riddle to solve", head: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.ContentLength == -1 }, refused: sluice.CodeInvalidRequest},
	{why: "bare line feeds", head: "GET / HTTP/1.1\nHost: a\nX: y\n\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.Header.Get("X") == "y" }, refused: sluice.CodeInvalidRequest},
	{why: "a carriage return too many", head: "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n",
		theirs: nil, refused: sluice.CodeInvalidRequest},
	{why: "folded lines", head: "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.Header.Get("X") == "y z" }, refused: sluice.CodeInvalidRequest},
	{why: "a blank line first", head: "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		theirs: nil, refused: sluice.CodeInvalidRequest},
	{why: "an expectation that we can not meet", head: "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.Header.Get("Expect") == "tea" }, refused: sluice.CodeInvalidRequest},
	{why: "a coding in HTTP/1.0", head: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		theirs: func(r *http.Request) bool { return len(r.TransferEncoding) == 0 }, refused: sluice.CodeInvalidRequest},
	{why: "CONNECT", head: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.Method == "CONNECT" }, refused: sluice.CodeUnsupported},
	{why: "HTTP/1.1 without a host", head: "GET / HTTP/1.1\r\n\r\n", // net/http's server refuses it later
		theirs: func(r *http.Request) bool { return r.Host == "" }, refused: sluice.CodeInvalidRequest},
	{why: "two hosts", head: "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		theirs: nil, refused: sluice.CodeInvalidRequest},
	{why: "an absolute target of another scheme", head: "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.URL.Scheme == "ftp" }, refused: sluice.CodeInvalidRequest},
	{why: "a user in the target", head: "GET http://u:p@a/b HTTP/1.1\r\nHost: a\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.URL.User != nil }, refused: sluice.CodeInvalidRequest},
	{why: "a fragment", head: "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.URL.Path == "/a#b" }, refused: sluice.CodeInvalidRequest},
	{why: "bytes above ASCII in the target", head: "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.URL.Path == "/\xff" }, refused: sluice.CodeInvalidRequest},
	{why: "another version", head: "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
		theirs: func(r *http.Request) bool { return r.ProtoMinor == 2 }, refused: sluice.CodeUnsupported},
	{why: "65 fields", head: "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 64) + "\r\n",
		theirs: func(r *http.Request) bool { return len(r.Header.Values("X")) == 64 }, refused: sluice.CodeHeadTooLarge},
}

// A difference that nobody decided is a hole, and one that went away is a rule
// lost: each is held on both sides.
func TestDifferencesToNetHTTP(t *testing.T) {
	for _, x := range differences {
		t.Run(x.why, func(t *testing.T) {
			theirs, err := http.ReadRequest(bufio.NewReader(strings.NewReader(x.head)))
			switch {
			case x.theirs == nil && err == nil:
				t.Errorf("net/http accepts it: %+v", theirs)
			case x.theirs != nil && err != nil:
				t.Errorf("net/http refuses it: %v", err)
			case x.theirs != nil && !x.theirs(theirs):
				t.Errorf("net/http reads %+v", theirs)
			}
			ours, err := wire.ParseRequest([]byte(x.head))
			switch {
			case sluice.CodeOf(err) != x.refused:
				t.Errorf("we say %v, want %q", err, x.refused)
			case x.ours != nil && !x.ours(ours):
				t.Errorf("we read %+v", ours)
			}
		})
	}
}

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
