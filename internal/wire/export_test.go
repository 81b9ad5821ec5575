package wire

import (
	"errors"
	"io"

	"github.com/sluicegate/sluice"
)

// ParsedRequest is a request head as the parser leaves it, copied out.
type ParsedRequest struct {
	Head    sluice.Head
	Chunked bool
	Close   bool
	Expect  bool
}

// ParseRequest runs the request parser over one whole head.
func ParseRequest(head []byte) (ParsedRequest, error) {
	var r request
	lim := Limits{}.withDefaults()
	if end := headEnd(head, 0); end == 0 || end != len(head) {
		return ParsedRequest{}, errors.New("not one head")
	}
	if len(head) > lim.Head {
		return ParsedRequest{}, errHeadTooLarge
	}
	err := r.parse(head, &lim, nil)
	return ParsedRequest{Head: r.head, Chunked: r.chunked, Close: r.close, Expect: r.expect}, err
}

// HeadEnd is where the head at the start of b ends.
func HeadEnd(b []byte) int { return headEnd(b, 0) }

// ParseResponse runs the response parser over one whole head and says how the
// body would be framed: "none", "length", "chunked" or "eof".
func ParseResponse(head []byte, method string) (sluice.RespHead, string, bool, error) {
	var r response
	if end := headEnd(head, 0); end == 0 || end != len(head) {
		return sluice.RespHead{}, "", false, errors.New("not one head")
	}
	err := r.parse(head, method)
	return r.head, [...]string{"none", "length", "chunked", "eof"}[r.body], r.close, err
}

// Dechunk takes a chunked body apart that comes in pieces of the given size. It
// returns the data, how many bytes were left over, and the trailers that pass.
func Dechunk(b []byte, piece int) (data []byte, left int, trailers *sluice.Fields, err error) {
	var d dechunker
	trailers = &sluice.Fields{}
	for at := 0; ; {
		end := min(at+piece, len(b))
		skip, n, err := d.step(b[at:end], piece)
		if err != nil {
			return data, 0, nil, err
		}
		data = append(data, b[at+skip:at+skip+n]...)
		at += skip + n
		if d.done() {
			return data, len(b) - at, trailers, parseTrailers(d.trailer, trailers)
		}
		if at == len(b) && n == 0 {
			return data, 0, nil, io.ErrUnexpectedEOF
		}
	}
}

// AppendChunkSize writes the size line of a chunk.
func AppendChunkSize(n int) string { return string(appendChunkSize(nil, n)) }

// LateSweep does what a sweep does at a far-off time.
func (s *Server) LateSweep() {
	s.each(func(c *Conn) { c.sweep(1 << 62) })
}

// RequestParser returns a function that parses the same head again and again
// into the same memory.
func RequestParser(head []byte) func() {
	var r request
	lim := Limits{}.withDefaults()
	return func() {
		if r.parse(head, &lim, nil) != nil {
			panic("refused")
		}
	}
}

// ResponseParser does the same for an answer to GET.
func ResponseParser(head []byte) func() {
	var r response
	return func() {
		if r.parse(head, "GET") != nil {
			panic("refused")
		}
	}
}
