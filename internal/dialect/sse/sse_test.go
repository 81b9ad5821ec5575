package sse_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/sse"
)

// events scans the pieces and prints every event, and everything that was
// given out raw.
func events(pieces [][]byte) (list []string, raw string) {
	s := sse.Scanner{Max: 1 << 20}
	var ev sse.Event
	for _, piece := range pieces {
		s.Push(bytes.Clone(piece))
		for s.Next(&ev) {
			raw += string(ev.Raw)
			if !ev.Tail && (ev.Data != nil || ev.Name != nil) {
				list = append(list, fmt.Sprintf("%s|%s", ev.Name, ev.Data))
			}
		}
	}
	return list, raw + string(s.Rest())
}

var streams = []struct {
	name, text string
	want       []string
}{
	{"line feeds", "data: a\n\ndata: b\n\n", []string{"|a", "|b"}},
	{"carriage returns", "data: a\r\rdata: b\r\r", []string{"|a", "|b"}},
	{"both", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"|a", "|b"}},
	{"mixed", "data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", []string{"|a", "|b", "|c"}},
	{"several lines", "event: x\ndata: a\ndata:b\ndata\ndata:  c\n\n", []string{"x|a\nb\n\n c"}},
	{"byte order mark", "\xEF\xBB\xBFdata: a\n\n", []string{"|a"}},
	{"comments", ": ping\n\ndata: a\n: in between\n\n:\n\n", []string{"|a"}},
	{"other fields", "id: 7\nretry: 10\ndata: a\nweird\n\n", []string{"|a"}},
	{"unfinished", "data: a\n\ndata: b\n", []string{"|a"}},
	{"blank lines", "\n\n\ndata: a\n\n\n\n", []string{"|a"}},
	{"text beyond ASCII", "data: 数据é\n\n", []string{"|数据é"}},
}

// A stream that reads differently when the network cuts it elsewhere would lose
// or double words of an answer.
func TestEveryCutReadsTheSame(t *testing.T) {
	for _, c := range streams {
		t.Run(c.name, func(t *testing.T) {
			text := []byte(c.text)
			cuts := [][][]byte{bytes.SplitAfter(text, nil)}
			for i := range len(text) + 1 {
				cuts = append(cuts, [][]byte{text[:i], text[i:]})
			}
			for _, pieces := range cuts {
				got, raw := events(pieces)
				if strings.Join(got, "!") != strings.Join(c.want, "!") {
					t.Errorf("%q: got %q, want %q", pieces, got, c.want)
				}
				if raw != c.text {
					t.Errorf("%q: gave out %q", pieces, raw)
				}
			}
		})
	}
}

// A line without an end must cost bounded memory, then end the stream.
func TestEndlessLineIsRefused(t *testing.T) {
	s := sse.Scanner{Max: 64 << 10}
	var ev sse.Event
	piece := bytes.Repeat([]byte("x"), 4<<10)
	for range 100 {
		s.Push(piece)
		if s.Next(&ev) {
			t.Fatal("an event was found where none is")
		}
	}
	if !s.TooLarge() {
		t.Error("the scanner went on")
	}
	if len(s.Rest()) != 0 {
		t.Error("the line was kept")
	}
}

// No input may crash the scanner, lose a byte, or read differently in pieces.
func FuzzScanner(f *testing.F) {
	for _, c := range streams {
		f.Add([]byte(c.text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		if len(text) > 1<<16 {
			return
		}
		whole, raw := events([][]byte{text})
		if raw != string(text) {
			t.Fatalf("gave out %q of %q", raw, text)
		}
		if cut < 0 || cut > len(text) {
			return
		}
		parts, raw := events([][]byte{text[:cut], text[cut:]})
		if raw != string(text) || strings.Join(parts, "!") != strings.Join(whole, "!") {
			t.Fatalf("cut at %d: %q, whole: %q", cut, parts, whole)
		}
	})
}
