package gateway_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A request that the model states it cannot serve has to be refused by the name
// of what is lacking, before a target costs anything; what a model does not
// state is the provider's to decide.
func TestAbilities(t *testing.T) { onEveryTransport(t, testAbilities) }

func testAbilities(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, func(p *sluice.Provider) { p.Models = []string{"m*", "reader", "plain"} })
	f.add(&sluice.Model{Meta: meta("platform", "reader"), InputModalities: []string{"text"}})
	f.add(&sluice.Model{Meta: meta("platform", "plain"), SupportsReasoning: new(bool), SupportsJSONSchema: new(bool), ParamPolicy: sluice.ParamsStrict})
	f.apply()
	part := func(model, part string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":[` + part + `]}]}`
	}
	const (
		picture  = `{"type":"image_url","image_url":{"url":"data:,"}}`
		sound    = `{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}`
		document = `{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}}`
		effort   = `,"reasoning_effort":"high"`
		schema   = `,"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}}`
	)
	for _, c := range []struct{ name, body, lack string }{
		{"images", part("reader", picture), `model "reader" does not read images`},
		{"audio", part("reader", sound), `model "reader" does not read audio`},
		{"documents", part("reader", document), `model "reader" does not read documents`},
		{"reasoning", chatBody("plain", effort), `model "plain" does not reason`},
		{"schema", chatBody("plain", schema), `model "plain" does not answer by a JSON schema`},
		{"no reasoning", chatBody("plain", `,"reasoning_effort":"none"`), ""},
		{"plain JSON", chatBody("plain", `,"response_format":{"type":"json_object"}`), ""},
		{"sound, not stated", part("plain", sound), ""},
		{"documents, not stated", part("plain", document), ""},
		{"reasoning, not stated", chatBody("reader", effort), ""},
		{"schema, not stated", chatBody("reader", schema), ""},
	} {
		before := u.Connections()
		a := f.do("POST", "/v1/chat/completions", c.body)
		if c.lack == "" {
			if a.status != 200 {
				t.Errorf("%s: %d %s", c.name, a.status, a.body)
			}
			continue
		}
		text := strings.ReplaceAll(string(a.body), `\"`, `"`)
		if a.status != 400 || !strings.Contains(text, c.lack) || u.Connections() != before {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		if r := f.recordOf(a.header.Get("X-Request-Id")); r.Outcome != sluice.OutcomeRefused || len(r.Attempts) > 0 {
			t.Errorf("%s: record %+v", c.name, r)
		}
	}
}
