package openai_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"runtime"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// begin opens a leg for a chat whose success has begun.
func begin(t testing.TB, stream bool, contentType, key string) dialect.Leg {
	t.Helper()
	s := script{method: "POST", path: "/v1/chat/completions", provider: sluice.Provider{Type: "openai", APIKey: key}}
	s.body = fmt.Appendf(nil, `{"model":"m","messages":[{}],"stream":%v}`, stream)
	s.head.Fields.Add("Content-Type", "application/json")
	op, err := openai.Surface{}.Operation(s.method, s.path)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := openai.Surface{}.Ask(op, &s.head, s.body)
	if err != nil {
		t.Fatal(err)
	}
	leg, err := open(s, ask)
	if err != nil {
		t.Fatal(err)
	}
	head := sluice.RespHead{Status: 200, ContentLength: -1}
	head.Fields.Add("Content-Type", contentType)
	var out sluice.RespHead
	if err := leg.Begin(&head, &out); err != nil {
		t.Fatal(err)
	}
	return leg
}

// heap is the live heap after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// An event without an end must not fill the memory of the gateway.
func TestEndlessEventIsRefused(t *testing.T) {
	leg := begin(t, true, "text/event-stream", "")
	before := heap()
	piece := bytes.Repeat([]byte("x"), 64<<10)
	_, err := leg.Feed([]byte(`data: {"choices":[{"delta":{"content":"`))
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = leg.Feed(piece)
	}
	if sluice.CodeOf(err) != sluice.CodeProviderTooLarge {
		t.Fatalf("after %d pieces: %v", n, err)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
	runtime.KeepAlive(leg)
}

// Keep-alives without an answer must not pile up either: at some point they
// are passed on.
func TestEndlessLifecycleIsPassed(t *testing.T) {
	leg := begin(t, true, "text/event-stream", "")
	passed := 0
	for range 100_000 {
		out, err := leg.Feed([]byte(": keep-alive\n\n"))
		if err != nil {
			t.Fatal(err)
		}
		passed += len(out)
	}
	if passed < 1_000_000 {
		t.Errorf("only %d bytes were passed on", passed)
	}
}

// A target that never stops must not be paid for, nor fill a client's disk.
func TestEndlessDocumentIsCut(t *testing.T) {
	leg := begin(t, false, "application/json", "sk-a-long-credential")
	if _, err := leg.Feed([]byte(`{"choices":[{"message":{"content":"`)); err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("y"), 1<<20)
	for n := range 300 {
		_, err := leg.Feed(piece)
		if err == nil {
			continue
		}
		if sluice.CodeOf(err) != sluice.CodeProviderTooLarge || n < 250 {
			t.Errorf("after %d MiB: %v", n, err)
		}
		return
	}
	t.Error("300 MiB were passed on")
}

// A document of any size within the limit passes in bounded memory, and one that breaks off
// after a part was delivered must not end as if it were whole.
func TestLargeDocumentPasses(t *testing.T) {
	leg := begin(t, false, "application/json", "sk-a-long-credential")
	before := heap()
	want := int64(0)
	feed := func(b []byte) (n int64) {
		want += int64(len(b))
		out, err := leg.Feed(b)
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(out))
	}
	got := feed([]byte(`{"choices":[{"message":{"content":"`))
	piece := bytes.Repeat([]byte("y"), 64<<10)
	for range 512 {
		got += feed(piece)
	}
	got += feed([]byte(`"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}`))
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
	if _, err := leg.Finish(); sluice.CodeOf(err) != sluice.CodeProviderError {
		t.Errorf("a document without its end finished with %v", err)
	}
	got += feed([]byte(`}`))
	rest, err := leg.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if got += int64(len(rest)); got != want {
		t.Errorf("%d of %d bytes passed", got, want)
	}
	if u, source := leg.Usage(); u.Input != 3 || u.Output != 4 || source != sluice.UsageProvider {
		t.Errorf("usage is %v from %q", u, source)
	}
}

// A credential that falls into two pieces is a credential all the same.
func TestCredentialIsScrubbedAcrossPieces(t *testing.T) {
	const key = "sk-a-long-credential"
	document := []byte(`{"choices":["` + strings.Repeat("z", 300<<10) + key + ` and ` + key + `"]}`)
	for _, size := range []int{1 << 10, 7777, 300<<10 + 20} {
		leg := begin(t, false, "application/json", key)
		var got []byte
		for rest := document; len(rest) > 0; {
			n := min(size, len(rest))
			out, err := leg.Feed(bytes.Clone(rest[:n]))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, out...)
			rest = rest[n:]
		}
		out, err := leg.Finish()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out...)
		if want := bytes.ReplaceAll(document, []byte(key), bytes.Repeat([]byte("*"), len(key))); !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: the answer differs, credential in it: %v", size, bytes.Contains(got, []byte(key)))
		}
	}
}

// After a hang-up the record needs what was delivered so far.
func TestUsageDuringStream(t *testing.T) {
	leg := begin(t, true, "text/event-stream", "")
	if _, err := leg.Feed([]byte("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n")); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := leg.Feed([]byte("data: {\"choices\":[{\"delta\":{\"content\":\" word\"}}]}\n\n")); err != nil {
			t.Fatal(err)
		}
	}
	if u, source := leg.Usage(); u.Output != 10 || source != sluice.UsageEstimated {
		t.Errorf("usage is %v from %q", u, source)
	}
}

// Whatever a target sends, however it is cut, the client gets the same bytes
// and the same ending; and nothing at all when the attempt failed first.
func FuzzStream(f *testing.F) {
	f.Add([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"), 7)
	f.Add([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\rdata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\r\rdata: [DONE]\r\r"), 40)
	f.Add([]byte(": ping\n\nevent: error\ndata: {\"error\":{\"code\":429}}\n\n"), 11)
	f.Add([]byte("{\"error\":\"no\"}"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		if cut < 0 || cut > len(text) || len(text) > 1<<14 {
			return
		}
		one, oneErr := feedAll(t, text)
		two, twoErr := feedAll(t, text[:cut], text[cut:])
		if one != two || sluice.CodeOf(oneErr) != sluice.CodeOf(twoErr) {
			t.Fatalf("whole: %q %v\ncut at %d: %q %v", one, oneErr, cut, two, twoErr)
		}
		if oneErr == nil && strings.Count(one, "[DONE]") == 0 {
			t.Fatalf("a stream without its end was complete: %q", one)
		}
	})
}

// feedAll carries pieces through a streaming leg.
func feedAll(t *testing.T, pieces ...[]byte) (string, error) {
	leg := begin(t, true, "text/event-stream", "")
	var out []byte
	for _, piece := range pieces {
		b, err := leg.Feed(bytes.Clone(piece))
		if err != nil {
			return string(out), err
		}
		out = append(out, b...)
	}
	b, err := leg.Finish()
	if u, source := leg.Usage(); source == sluice.UsageNone && u != (sluice.Usage{}) {
		t.Fatalf("usage %v without a source", u)
	}
	return string(out) + string(b), err
}

// Any form must mean the same to us and to the reader most targets resemble:
// the model that is checked is the model that runs.
func FuzzForm(f *testing.F) {
	f.Add([]byte("--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--B--\r\n"))
	f.Add([]byte("--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: audio/mpeg\r\n\r\n\x00--B\r\n--B\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n--B--"))
	f.Add([]byte("--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\r\n--B--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		head := sluice.Head{Method: "POST", Path: "/v1/images/edits"}
		head.Fields.Add("Content-Type", "multipart/form-data; boundary=B")
		op, err := openai.Surface{}.Operation("POST", head.Path)
		if err != nil {
			t.Fatal(err)
		}
		ask, err := openai.Surface{}.Ask(op, &head, body)
		if err != nil {
			return // stricter on purpose
		}
		models := 0
		for r := multipart.NewReader(bytes.NewReader(body), "B"); ; {
			p, err := r.NextRawPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("accepted a form that mime/multipart refuses: %v", err)
			}
			if _, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition")); err != nil || params["name"] != "model" {
				continue
			}
			text, _ := io.ReadAll(p)
			if models++; string(text) != ask.Model {
				t.Fatalf("read model %q, mime/multipart reads %q", ask.Model, text)
			}
		}
		if models != 1 {
			t.Fatalf("mime/multipart finds %d models", models)
		}
	})
}

// Any accepted body must still be the same JSON after splicing, but for what
// was meant to change.
func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"model":"a","messages":[{}],"stream":true}`))
	f.Add([]byte(`{"stream":true,"stream_options":{"x":1.0,"include_usage":null},"messages":[{}], "model" : "\u0061"}`))
	f.Add([]byte(`{"stream":true,"stream_options":null,"messages":[{"a":[1,2]}],"model":"a"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := script{method: "POST", path: "/v1/chat/completions", body: body}
		s.provider = sluice.Provider{Type: "openai"}
		s.head.Fields.Add("Content-Type", "application/json")
		op, _ := openai.Surface{}.Operation(s.method, s.path)
		ask, err := openai.Surface{}.Ask(op, &s.head, s.body)
		if err != nil {
			return
		}
		s.provider.ModelMap = map[string]string{ask.Model: `new "model"`}
		leg, err := open(s, ask)
		if err != nil {
			t.Fatal(err)
		}
		var call sluice.Call
		if err := leg.Request(&call); err != nil {
			t.Fatal(err)
		}
		var before, after map[string]json.RawMessage
		if err := json.Unmarshal(body, &before); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		if err := json.Unmarshal(bytes.Join(call.Body, nil), &after); err != nil {
			t.Fatalf("%q became %q: %v", body, bytes.Join(call.Body, nil), err)
		}
		if string(after["model"]) != `"new \"model\""` {
			t.Fatalf("model is %s", after["model"])
		}
		var options struct {
			IncludeUsage bool `json:"include_usage"`
		}
		if ask.Stream && (json.Unmarshal(after["stream_options"], &options) != nil || !options.IncludeUsage) {
			t.Fatalf("stream_options are %s", after["stream_options"])
		}
		for name, value := range before {
			if name != "model" && name != "stream_options" && !bytes.Equal(value, after[name]) {
				t.Fatalf("%s changed from %s to %s", name, value, after[name])
			}
		}
	})
}
