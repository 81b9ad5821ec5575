package translate_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// What becomes of a bad answer.
const (
	becomesError     = "error"     // an HTTP error, and nothing to pay
	becomesBroken    = "broken"    // an answer that ends with an error
	becomesWhole     = "whole"     // an answer, as the provider stated
	becomesEstimated = "estimated" // an answer, with usage that we estimated
)

// mostHeap is how far the heap may grow while a bad answer comes: a whole answer
// may hold 64 MiB and grows by copying, an event 16 MiB.
const mostHeap = 256 << 20

// hello is the answer that bad days spoil.
var hello = said{text: "Hello there, world.", stop: stopEnd, usage: some}

// badDay is a way in which a provider goes wrong.
type badDay struct {
	name    string
	stream  bool
	becomes string
	answer  func(p protocol) sluicetest.Answer
	// outcome is the record's, where it is not the usual one.
	outcome sluice.Outcome
}

// sse answers with a stream in one piece.
func sse(events ...string) sluicetest.Answer {
	return sluicetest.Whole(200, "text/event-stream", strings.Join(events, ""))
}

// always ignores the protocol.
func always(a sluicetest.Answer) func(protocol) sluicetest.Answer {
	return func(protocol) sluicetest.Answer { return a }
}

// spoiled is a stream of hello that is changed.
func spoiled(change func(events []string, content int) []string) func(protocol) sluicetest.Answer {
	return func(p protocol) sluicetest.Answer {
		events, content := p.frames(hello)
		return sse(change(events, content)...)
	}
}

// replaced is an answer of hello, in either form, with texts replaced.
func replaced(stream bool, pairs ...string) func(protocol) sluicetest.Answer {
	return func(p protocol) sluicetest.Answer {
		r := strings.NewReplacer(pairs...)
		if !stream {
			return sluicetest.JSON(200, r.Replace(p.whole(hello)))
		}
		events, _ := p.frames(hello)
		return sse(r.Replace(strings.Join(events, "")))
	}
}

// figures are the members of both protocols that state the usage of hello.
func figures(in, out string) []string {
	return []string{`_tokens":20`, `_tokens":` + in, `_tokens":9`, `_tokens":` + out, `_tokens":1,`, `_tokens":` + out + `,`, `_tokens":29`, `_tokens":` + in}
}

// behind puts an event of nonsense behind the first content.
func behind(nonsense string) func([]string, int) []string {
	return func(events []string, content int) []string {
		return append(append([]string{}, events[:content+2]...), nonsense)
	}
}

// badDays are all of them.
var badDays = []badDay{
	{"not HTTP", false, becomesError, always(sluicetest.Garbage()), ""},
	{"endless head", false, becomesError, always(sluicetest.EndlessHead()), ""},
	{"garbage for a document", false, becomesError, always(sluicetest.JSON(200, "\x00\xff\xfe nonsense")), ""},
	{"garbage for a stream", true, becomesError, always(sse("\x00\xff\xfe nonsense\n\n")), ""},
	{"a page for a document", false, becomesError, always(sluicetest.Whole(200, "text/html", "<html>busy</html>")), ""},
	{"nothing for a document", false, becomesError, always(sluicetest.JSON(200, "")), ""},
	{"nothing for a stream", true, becomesError, always(sse()), ""},
	{"another document", false, becomesError, always(sluicetest.JSON(200, `{"hello":"world"}`)), ""},
	{"too few bytes", false, becomesError, func(p protocol) sluicetest.Answer {
		return sluicetest.ShortBody("application/json", p.whole(hello))
	}, ""},
	{"a length that cuts the document", false, becomesError, func(p protocol) sluicetest.Answer {
		return sluicetest.Raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n" + p.whole(hello))
	}, ""},
	{"a reset within the head", false, becomesError, always(sluicetest.ResetAfterHead()), ""},
	{"gzip bomb for a document", false, becomesError, always(sluicetest.GzipBomb(32 << 20)), ""},
	{"gzip bomb for a stream", true, becomesError, always(sluicetest.GzipBomb(32 << 20)), ""},
	{"a line of 100 MB", true, becomesError, always(sluicetest.EndlessLine(100 << 20)), ""},
	{"a document of 100 MB", false, becomesError, always(sluicetest.Huge(100 << 20)), ""}, // it never ends, too
	{"silence", false, becomesError, always(sluicetest.Hang()), sluice.OutcomeTimeout},
	{"silence for a stream", true, becomesError, always(sluicetest.Hang()), sluice.OutcomeTimeout},
	{"silence behind content", true, becomesBroken, func(p protocol) sluicetest.Answer {
		events, content := p.frames(hello)
		return func(w *sluicetest.Wire, _ sluicetest.Request) {
			w.Print(sluicetest.SSEHead)
			w.Chunk([]byte(strings.Join(events[:content+2], "")))
			w.Hang()
		}
	}, sluice.OutcomeTimeout},
	{"garbage behind content", true, becomesBroken, spoiled(behind("data: {nonsense\n\n")), ""},
	{"a line of 100 MB behind content", true, becomesBroken, func(p protocol) sluicetest.Answer {
		events, content := p.frames(hello)
		return func(w *sluicetest.Wire, r sluicetest.Request) {
			w.Print(sluicetest.SSEHead)
			w.Chunk([]byte(strings.Join(events[:content+2], "") + "data: {\"x\":\""))
			block := []byte(strings.Repeat("x", 64<<10))
			for n := 0; n < 100<<20 && w.Chunk(block) == nil; n += len(block) {
			}
		}
	}, ""},
	{"two terminal events", true, becomesWhole, spoiled(func(events []string, _ int) []string {
		return append(events, events[len(events)-1])
	}), ""},
	{"an answer behind the answer", true, becomesWhole, spoiled(func(events []string, _ int) []string {
		return append(events, events...)
	}), ""},
	{"usage twice", true, becomesWhole, spoiled(func(events []string, _ int) []string {
		stated := len(events) - 2 // the event before the terminal one
		first := strings.NewReplacer(figures("7", "3")...).Replace(events[stated])
		return append(append(append([]string{}, events[:stated]...), first), events[stated:]...)
	}), ""},
	{"negative usage", false, becomesEstimated, replaced(false, figures("-20", "-9")...), ""},
	{"negative usage in a stream", true, becomesEstimated, replaced(true, figures("-20", "-9")...), ""},
	{"absurd usage", false, becomesEstimated, replaced(false, figures("99999999999999999", "99999999999999999")...), ""},
	{"absurd usage in a stream", true, becomesEstimated, replaced(true, figures("99999999999999999", "99999999999999999")...), ""},
	{"usage that is no number", true, becomesEstimated, replaced(true, figures(`"many"`, `"some"`)...), ""},
	{"bytes that are no text", true, becomesWhole, replaced(true, "world", "w\xff\xc3rld"), ""},
}

// A provider's bad day must stay the provider's: the client gets a clear error
// or what came, the book the truth, and the gateway keeps its memory.
func TestBadDays(t *testing.T) {
	for _, u := range []*upstream{
		{name: "openai", kind: "openai", protocol: chatAPI{}, settings: obj{"responses": false}, usual: "gpt-4.1"},
		{name: "anthropic", kind: "anthropic", protocol: messagesAPI{}, usual: "claude-sonnet-4-5"},
	} {
		target := sluicetest.NewUpstream(t)
		u.url, u.secret = target.URL(), "sk-upstream-credential"
		account := u.account("account", u.secret, 0, map[string]string{u.name: u.usual})
		p := newPlane(t, sluice.Timeouts{FirstByteMS: 800, IdleMS: 800, TotalMS: 20_000}, account)
		for _, s := range []surface{chatSurface{}, messagesSurface{}} {
			for _, day := range badDays {
				t.Run(strings.ReplaceAll(s.name()+" to "+u.name+"/"+day.name, " ", "_"), func(t *testing.T) {
					target.Script(day.answer(u.protocol))
					path, body := s.request(&scene{name: "bad day"}, u.name, day.stream, nil)
					grown := watchHeap()
					a := p.send(t, path, s.auth(), body)
					if most := grown(); most > mostHeap+4*uint64(len(a.body)) { // the client keeps it
						t.Errorf("the heap grew by %d MiB", most>>20)
					}
					day.check(t, s, &a, native(s, u))
				})
			}
		}
	}
}

// check judges what the client got and what was recorded.
func (d *badDay) check(t *testing.T, s surface, a *answer, native bool) {
	t.Helper()
	rec := &a.record
	if native && rec.Outcome == sluice.OutcomeIncomplete && (len(a.body) > 64<<20 || strings.Contains(string(a.body), "{nonsense")) {
		// Between equals bytes pass as they are, and the end says that it is none.
		if rec.Code != sluice.CodeProviderError || rec.UsageSource != sluice.UsageEstimated {
			t.Errorf("recorded as %s %s %+v", rec.Outcome, rec.Code, rec.Usage)
		}
		return
	}
	if d.becomes == becomesError {
		code, _, ok := s.fault(a.body)
		want := sluice.OutcomeError
		if d.outcome != "" {
			want = d.outcome
		}
		if a.status < 500 || !ok || code != string(rec.Code) || rec.Outcome != want || rec.Usage != (sluice.Usage{}) {
			t.Errorf("%d %.300s recorded as %s %s %+v", a.status, a.body, rec.Outcome, rec.Code, rec.Usage)
		}
		return
	}
	r := &reply{native: native}
	if d.stream {
		s.stream(r, a.body)
	} else {
		s.whole(r, a.body)
	}
	if a.status != 200 || len(r.wrong) > 0 {
		t.Fatalf("%d %.300v in %.600s", a.status, r.wrong, a.body)
	}
	if d.becomes == becomesBroken {
		want := sluice.OutcomeIncomplete
		if d.outcome != "" {
			want = d.outcome
		}
		if !r.broke || r.ended || r.reason != "" || r.fault != string(rec.Code) || rec.Outcome != want || !strings.HasPrefix(hello.text, r.text) || r.text == "" {
			t.Errorf("recorded as %s %s: %.600s", rec.Outcome, rec.Code, a.body)
		}
		return
	}
	if !r.ended || r.broke || rec.Outcome != sluice.OutcomeComplete || !strings.HasPrefix(r.text, "Hello there, w") || len(r.text) > len(hello.text)+6 {
		t.Errorf("recorded as %s %s: %.600s", rec.Outcome, rec.Code, a.body)
	}
	if !native && !utf8.Valid(a.body) {
		t.Errorf("what is no text reached the client: %q", r.text)
	}
	d.checkUsage(t, rec)
}

// checkUsage judges the book of an answer that came whole.
func (d *badDay) checkUsage(t *testing.T, rec *sluice.Record) {
	t.Helper()
	u := rec.Usage
	if d.becomes == becomesWhole {
		if u != some || rec.UsageSource != sluice.UsageProvider {
			t.Errorf("the record says %+v (%s)", u, rec.UsageSource)
		}
		return
	}
	if rec.UsageSource != sluice.UsageEstimated || u.Input <= 0 || u.Input > 1000 || u.Output <= 0 || u.Output > 200 {
		t.Errorf("the estimate is %+v (%s)", u, rec.UsageSource)
	}
}

// watchHeap looks at the heap until the function that it returns is called,
// which says by how much it grew at most.
func watchHeap() (grown func() uint64) {
	var before, at runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := before.HeapAlloc
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { // ends with grown
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				runtime.ReadMemStats(&at)
				most = max(most, at.HeapAlloc)
			}
		}
	})
	return func() uint64 {
		close(stop)
		watching.Wait()
		return most - before.HeapAlloc
	}
}
