package wire_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/wire"
)

// seen is every request that a back end believed it got.
type seen struct {
	mu   sync.Mutex
	list []string
}

func (s *seen) add(line string) {
	s.mu.Lock()
	s.list = append(s.list, line)
	s.mu.Unlock()
}

func (s *seen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.list, "\n")
}

// strictBackEnd is net/http.
func strictBackEnd(t *testing.T) (string, *seen) {
	got := &seen{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got.add(r.Method + " " + r.URL.Path + " " + fmt.Sprint(r.Header))
		io.WriteString(w, r.URL.Path)
	})}
	go origin.Serve(ln)
	t.Cleanup(func() { origin.Close() })
	return ln.Addr().String(), got
}

// laxBackEnd believes whatever it can: bare LF, folded lines, space before the
// colon, "_" for "-", any coding that mentions chunked, the last of several
// lengths, sizes with signs and spaces.
func laxBackEnd(t *testing.T) (string, *seen) {
	got := &seen{}
	addr := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			line, fields, err := laxHead(r)
			if err != nil {
				return
			}
			laxBody(r, fields)
			got.add(line + " " + fmt.Sprint(fields))
			_, path, _ := strings.Cut(line, " ")
			path, _, _ = strings.Cut(path, " ")
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
		}
	})
	return addr, got
}

func laxHead(r *bufio.Reader) (line string, fields map[string]string, err error) {
	for line == "" {
		if line, err = r.ReadString('\n'); err != nil {
			return "", nil, err
		}
		line = strings.TrimSpace(line)
	}
	fields = map[string]string{}
	last := ""
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return "", nil, err
		}
		text := strings.TrimRight(l, "\r\n")
		switch {
		case text == "":
			return line, fields, nil
		case text[0] == ' ' || text[0] == '\t':
			fields[last] += text
		default:
			name, value, _ := strings.Cut(text, ":")
			last = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
			fields[last] = strings.TrimSpace(value)
		}
	}
}

func laxBody(r *bufio.Reader, fields map[string]string) {
	if !strings.Contains(strings.ToLower(fields["transfer-encoding"]), "chunked") {
		n, _ := strconv.Atoi(strings.TrimSpace(fields["content-length"]))
		io.CopyN(io.Discard, r, int64(n))
		return
	}
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return
		}
		size, _, _ := strings.Cut(strings.TrimSpace(l), ";")
		n, _ := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(size), "0x"), 16, 64)
		if n <= 0 {
			for l != "\r\n" && l != "\n" && err == nil {
				l, err = r.ReadString('\n')
			}
			return
		}
		io.CopyN(io.Discard, r, n)
		r.ReadString('\n')
	}
}

// attacks are requests that hide "/smuggled" in a body, a field or a trailer,
// for a back end that reads them otherwise than we do.
func attacks() map[string]string {
	const inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	head := "POST /outer HTTP/1.1\r\nHost: a\r\n"
	chunked := "0\r\n\r\n" + inner
	list := map[string]string{
		"CL.TE":                      head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n", len(chunked)) + chunked,
		"TE.CL":                      head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner),
		"CL.CL":                      head + fmt.Sprintf("Content-Length: %d\r\nContent-Length: 0\r\n\r\n", len(inner)) + inner,
		"CL.0":                       head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(inner)) + inner,
		"GET with a body":            "GET /outer HTTP/1.1\r\nHost: a\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(inner)) + inner,
		"HEAD with a body":           "HEAD /outer HTTP/1.1\r\nHost: a\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(inner)) + inner,
		"OPTIONS with a body":        "OPTIONS /outer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner),
		"CONNECT with a body":        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(inner)) + inner,
		"length named by Connection": head + fmt.Sprintf("Connection: Content-Length\r\nContent-Length: %d\r\n\r\n", len(inner)) + inner,
		"coding named by Connection": head + "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner),
		"length in a trailer":        head + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 50\r\n\r\n" + inner[:0],
		"coding with an underscore":  head + "Transfer_Encoding: chunked\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(chunked)) + chunked,
		"length with an underscore":  head + "Content_Length: 0\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(inner)) + inner,
		"upgrade to h2c":             "GET /outer HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
		"expectation":                head + fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(inner)) + inner,
		"1.0 with coding":            "POST /outer HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
		"absolute target":            "GET http://b/outer HTTP/1.1\r\nHost: a\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(inner)) + inner,
	}
	for i, coding := range []string{"xchunked", "chunked, identity", "identity, chunked", "\x0bchunked", "\"chunked\"", "chunked;q=1", "chunked\x00", "CHUNKED,", ", chunked", "x\r\n chunked"} {
		list[fmt.Sprintf("coding %d", i)] = head + "Transfer-Encoding: " + coding + "\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(chunked)) + chunked
		list[fmt.Sprintf("lone coding %d", i)] = head + "Transfer-Encoding: " + coding + "\r\n\r\n" + chunked
	}
	for i, field := range []string{" Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "X: y\r\n\tTransfer-Encoding: chunked", "Transfer-Encoding\x00: chunked", "Transfer-Encoding", ": chunked"} {
		list[fmt.Sprintf("field %d", i)] = head + field + "\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(chunked)) + chunked
	}
	for i, size := range []string{"+0", "-0", "0x0", " 0", "0 ", "00000000000000000", "0\n", "0;\n", "0\r", "fffffffffffffffff"} {
		list[fmt.Sprintf("size %d", i)] = head + "Transfer-Encoding: chunked\r\n\r\n" + size + "\r\n\r\n" + inner
	}
	for i, length := range []string{"+5", "-1", "5, 5", "0x5", "5 5", "٥", "5\x0b", "1e1", "000000000000000000005"} {
		list[fmt.Sprintf("length %d", i)] = head + "Content-Length: " + length + "\r\n\r\n" + inner
	}
	return list
}

// After any attack the next client must get its own answer, and no back end may
// ever have believed the hidden request.
func TestSmuggling(t *testing.T) {
	for kind, start := range map[string]func(*testing.T) (string, *seen){"strict": strictBackEnd, "lax": laxBackEnd} {
		for _, stream := range []bool{false, true} {
			addr, got := start(t)
			f := &forwarder{pool: newPool(t, wire.PoolConfig{MaxIdlePerHost: 1}), addr: addr, stream: stream, first: 2 * time.Second, idle: 2 * time.Second}
			_, gateway := serve(t, wire.Config{Handler: f.handle})
			n := 0
			for why, attack := range attacks() {
				c := dial(t, gateway)
				io.WriteString(c, attack)
				c.(*net.TCPConn).CloseWrite()
				c.SetReadDeadline(time.Now().Add(time.Second))
				io.Copy(io.Discard, c)
				c.Close()
				for range 2 {
					n++
					path := fmt.Sprintf("/probe-%d", n)
					p := dial(t, gateway)
					if _, body := exchange(t, p, bufio.NewReader(p), "GET", "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); body != path {
						t.Errorf("%s back end, stream %v: after %q a stranger got %q", kind, stream, why, body)
					}
					p.Close()
				}
			}
			if all := got.all(); strings.Contains(all, "/smuggled") || strings.Contains(all, "h2c") || strings.Contains(all, "HTTP2") {
				t.Errorf("%s back end, stream %v: believed %s", kind, stream, all)
			}
		}
	}
}

// The corpus must be able to smuggle, or the test above proves nothing: without
// a gateway the lax back end believes many of the hidden requests.
func TestSmugglingCorpusIsArmed(t *testing.T) {
	armed, all := 0, attacks()
	for _, attack := range all {
		addr, got := laxBackEnd(t)
		c := dial(t, addr)
		io.WriteString(c, attack)
		c.(*net.TCPConn).CloseWrite()
		c.SetReadDeadline(time.Now().Add(time.Second))
		io.Copy(io.Discard, c)
		c.Close()
		if strings.Contains(got.all(), "/smuggled") {
			armed++
		}
	}
	t.Logf("%d of %d attacks work on the lax back end alone", armed, len(all))
	if armed < 20 {
		t.Errorf("only %d of %d attacks work on the lax back end alone", armed, len(all))
	}
}
