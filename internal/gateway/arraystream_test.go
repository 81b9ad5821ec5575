package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A stream in the form of an array that breaks off must still be one document,
// with the error as its last element: a parser that is thrown out in the middle
// cannot tell why.
func TestArrayStreamEndsWithItsError(t *testing.T) { onEveryTransport(t, testArrayStream) }

func testArrayStream(t *testing.T, over transport) {
	for name, answer := range map[string]sluicetest.Answer{
		"native":     sluicetest.SSEThenReset(0, `{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"}}]}`),
		"translated": sluicetest.SSEThenReset(0, chatEvents[:2]...),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, over)
			f.add(&sluice.Route{Meta: meta("platform", "gem"), Paths: []string{"/v1beta/*"}, Surface: "gemini", Plugins: pluginSet("bearer", `{}`)})
			f.addProvider("p1", sluicetest.NewUpstream(t, answer), func(p *sluice.Provider) {
				if name == "native" {
					p.Type = "gemini"
				}
			})
			f.apply()
			a := f.do("POST", "/v1beta/models/m1:streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
			var elements []struct {
				Candidates []any
				Error      *struct{ Status string }
			}
			if err := json.Unmarshal([]byte(a.body), &elements); err != nil || a.status != 200 || len(elements) < 2 {
				t.Fatalf("%d %s: %v", a.status, a.body, err)
			}
			if last := elements[len(elements)-1]; last.Error == nil || last.Error.Status == "" || strings.Count(a.body, `"error"`) != 1 {
				t.Errorf("got %s", a.body)
			}
			if r := f.record(); r.Outcome != sluice.OutcomeIncomplete {
				t.Errorf("record %+v", r)
			}
		})
	}
}

// Whoever reports a fault has the id that the SDK shows, which some read from a
// field of their own API.
func TestRequestIDIsWhereTheSurfaceHasIt(t *testing.T) {
	f := newFixture(t, overWire)
	f.add(&sluice.Route{Meta: meta("platform", "claude"), Paths: []string{"/v1/messages"}, Surface: "anthropic", Plugins: pluginSet("bearer", `{}`)})
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), nil)
	f.apply()
	for _, body := range []string{`{"model":"m1","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, `{}`} {
		a := f.do("POST", "/v1/messages", body)
		if id := a.header.Get("Request-Id"); id == "" || id != a.header.Get("X-Request-Id") {
			t.Errorf("%d: %q, %q", a.status, id, a.header.Get("X-Request-Id"))
		}
	}
}
