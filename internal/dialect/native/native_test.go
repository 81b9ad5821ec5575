package native_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/native"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// secret is the account's credential, which some answers echo.
const secret = "sk-very-secret-credential"

type account struct{ scrub peer.Scrubber }

func (a *account) Address(call *sluice.Call, path string) {
	call.Target = "/base" + path
	call.Fields.Add("Authorization", "Bearer "+secret)
}
func (a *account) Scrubber() *peer.Scrubber { return &a.scrub }

// protocol is made up for these tests: the class is in the event's name, usage
// and text are members.
type protocol struct{}

func (protocol) Event(name, data []byte, r *native.Reading) (native.Class, error) {
	members := jsonscan.Document(data)
	for members.Next() {
		switch string(members.Key()) {
		case "usage":
			n, _ := jsonscan.Int(data, members.Value())
			r.Usage, r.Stated = sluice.Usage{Output: n}, true
		case "text":
			text, _ := jsonscan.Text(data, members.Value())
			r.Text += int64(len(text))
		}
	}
	classes := map[string]native.Class{"content": native.Content, "last": native.Last, "closed": native.Closed}
	if err := members.Err(); err != nil {
		return 0, peer.Broken(err.Error())
	}
	return classes[string(name)], nil
}

func (protocol) Document(doc []byte, r *native.Reading) error {
	if !strings.Contains(string(doc), "answer") {
		return peer.Broken("it holds no answer")
	}
	r.Usage, r.Stated = sluice.Usage{Output: 5}, true
	return nil
}

// open begins an attempt.
func open(stream, array bool) dialect.Leg {
	ask := &dialect.Ask{Stream: stream, Choices: 1, InputEstimate: 7}
	return native.Open(ask, &account{peer.NewScrubber(secret, "h.example", "")},
		native.Request{Path: "/ask", Body: native.Splice([]byte(`{"model":"a"}`), native.Edit{Start: 9, End: 12, Text: []byte(`"b"`)}), Array: array}, protocol{})
}

// answer feeds pieces and renders what comes out, "|" after every piece.
func answer(leg dialect.Leg, contentType string, pieces ...string) string {
	var out strings.Builder
	head, client := sluice.RespHead{Status: 200}, sluice.RespHead{}
	head.Fields.Add("Content-Type", contentType)
	if err := leg.Begin(&head, &client); err != nil {
		return "begin: " + string(sluice.CodeOf(err))
	}
	for _, p := range pieces {
		b, err := leg.Feed([]byte(p))
		if err != nil {
			return out.String() + string(sluice.CodeOf(err))
		}
		out.Write(b)
		out.WriteByte('|')
	}
	b, err := leg.Finish()
	if err != nil {
		return out.String() + string(sluice.CodeOf(err))
	}
	return out.String() + string(b)
}

// Equal protocols must pass byte for byte, and still never begin before content,
// invent an end or leak a credential.
func TestStreamsPassAndAreGuarded(t *testing.T) {
	const life, content, closed = "event: life\ndata: {}\n\n", "event: content\r\ndata: {\"text\":\"hi\"}\r\n\r\n", "event: closed\ndata: {}\n\n"
	const last, more = "event: last\ndata: {}\n\n", "event: last\ndata: {\"text\":\"more\"}\n\n"
	big := "event: last\ndata: {\"text\":\"" + strings.Repeat("x", 65<<10) + "\"}\n\n"
	for name, c := range map[string]struct {
		pieces []string
		want   string
	}{
		"as it stands":         {[]string{life, content, closed}, "|" + life + content + "|" + closed + "|"},
		"in one piece":         {[]string{life + content + closed}, life + content + closed + "|"},
		"split":                {[]string{life + content[:20], content[20:], closed}, "|" + life + content + "|" + closed + "|"},
		"error before content": {[]string{life, "data: {\"error\":{\"code\":429}}\n\n"}, "|PROVIDER_002"},
		"error after content":  {[]string{content, "data: {\"error\":{\"code\":429}}\n\n"}, content + "|PROVIDER_002"},
		"cut off":              {[]string{content}, content + "|PROVIDER_005"},
		"may end":              {[]string{last}, "|" + last},
		"may end, and does":    {[]string{content, last, life, closed}, content + "||" + "|" + last + life + closed + "|"},
		"may end, and goes on": {[]string{last, content, last, closed}, "|" + last + content + "||" + last + closed + "|"},
		"ends again":           {[]string{content + last, last, more, closed}, content + "||" + last + last + "|" + more + closed + "|"},
		"a big end":            {[]string{big}, big + "|"},
		"error behind the end": {[]string{content + closed + "data: {\"error\":{\"code\":500}}\n\n"}, content + closed + "|"},
		"error, not the end":   {[]string{content, last + "data: {\"error\":{\"code\":500}}\n\n"}, content + "|PROVIDER_005"},
		"two ends":             {[]string{content + closed, closed}, content + closed + "||"},
		"comments":             {[]string{":\n\n", content + closed}, "|" + content + closed + "|"},
		"credential":           {[]string{"event: content\ndata: {\"text\":\"" + secret + "\"}\n\n" + closed}, "event: content\ndata: {\"text\":\"" + strings.Repeat("*", len(secret)) + "\"}\n\n" + closed + "|"},
		"a document":           {[]string{`{"answer":1}`}, "|PROVIDER_005"},
		"broken JSON":          {[]string{"event: content\ndata: {]\n\n"}, "PROVIDER_005"},
	} {
		if got := answer(open(true, false), "text/event-stream", c.pieces...); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

// Clients without server-sent events get the same stream as an array, which must
// be valid JSON when the stream is complete, and only then.
func TestEventsAsAnArray(t *testing.T) {
	got := answer(open(true, true), "text/event-stream", "event: content\ndata: {\"a\":1}\n\n", "event: closed\ndata: {\"b\":2}\n\n")
	if got != "[{\"a\":1}|,\r\n{\"b\":2}|]" {
		t.Errorf("got %q", got)
	}
}

// A whole answer passes as it stands; one that is none must not.
func TestDocumentsPass(t *testing.T) {
	for body, want := range map[string]string{
		`{"answer": 1.0}`: `|{"answer": 1.0}`, `{"x":1}`: "|PROVIDER_005", `{"error":"no"}`: "|PROVIDER_005", "<p>": "PROVIDER_005", "": "|PROVIDER_005",
	} {
		if got := answer(open(false, false), "application/json", body); got != want {
			t.Errorf("%s: got %s", body, got)
		}
	}
}

// The request must be the client's own but for the edits, addressed and signed
// by the account.
func TestRequestIsSpliced(t *testing.T) {
	var call sluice.Call
	if err := open(true, false).Request(&call); err != nil {
		t.Fatal(err)
	}
	body := ""
	for _, piece := range call.Body {
		body += string(piece)
	}
	if body != `{"model":"b"}` || call.Target != "/base/ask" || call.Fields.Get("Authorization") == "" || call.Fields.Get("Accept") != "text/event-stream" {
		t.Errorf("got %s to %s", body, call.Target)
	}
}

// What is charged is what was stated, or an estimate of what was delivered.
func TestUsageIsStatedOrEstimated(t *testing.T) {
	for name, c := range map[string]struct {
		events string
		usage  sluice.Usage
		source sluice.UsageSource
	}{
		"stated":   {"event: content\ndata: {\"usage\":3}\n\n", sluice.Usage{Output: 3}, sluice.UsageProvider},
		"absurd":   {"event: content\ndata: {\"usage\":-3,\"text\":\"12345\"}\n\n", sluice.Usage{Input: 7, Output: 2}, sluice.UsageEstimated},
		"unstated": {"event: content\ndata: {\"text\":\"12345\"}\n\n", sluice.Usage{Input: 7, Output: 2}, sluice.UsageEstimated},
		"failed":   {"data: {\"error\":{\"code\":500}}\n\n", sluice.Usage{}, sluice.UsageNone},
	} {
		leg := open(true, false)
		answer(leg, "text/event-stream", c.events)
		if u, source := leg.Usage(); u != c.usage || source != c.source {
			t.Errorf("%s: got %+v %q", name, u, source)
		}
	}
}
