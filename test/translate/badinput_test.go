package translate_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// A client's mistake must come back as its own API's 400 that names the place,
// before any provider is called: each row is a mistake that a developer would
// otherwise search for in the wrong program.
func TestBadInput(t *testing.T) {
	p, ups := startAll(t)
	const user = `{"role":"user","content":"hi"}`
	for _, c := range []struct {
		name    string
		surface surface
		// path is that of the operation, "" the usual one; body has MODEL for
		// the model.
		path, body, field string
	}{
		{"unknown role", chatSurface{}, "", `{"model":"MODEL","messages":[{"role":"wizard","content":"hi"}]}`, "/messages/0/role"},
		{"orphan tool result", chatSurface{}, "", `{"model":"MODEL","messages":[` + user + `,{"role":"tool","tool_call_id":"x","content":"y"}]}`, "/messages/1/tool_call_id"},
		{"unanswered call", chatSurface{}, "", `{"model":"MODEL","messages":[` + user + `,{"role":"assistant","tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]},` + user + `]}`, "/messages/1/tool_calls/0"},
		{"bad base64", chatSurface{}, "", `{"model":"MODEL","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%%%"}}]}]}`, "/messages/0/content/0/image_url/url"},
		{"wrong type", chatSurface{}, "", `{"model":"MODEL","messages":[` + user + `],"temperature":"hot"}`, "/temperature"},
		{"wrong type of the list", chatSurface{}, "", `{"model":"MODEL","messages":"hi"}`, "/messages"},
		{"empty messages", chatSurface{}, "", `{"model":"MODEL","messages":[]}`, "/messages"},
		{"negative cap", chatSurface{}, "", `{"model":"MODEL","messages":[` + user + `],"max_tokens":-1}`, "/max_tokens"},
		{"no model", chatSurface{}, "", `{"messages":[` + user + `]}`, "/model"},
		{"model twice", chatSurface{}, "", `{"model":"MODEL","model":"MODEL","messages":[` + user + `]}`, "/model"},
		{"no JSON", chatSurface{}, "", `{"model":"MODEL",`, ""},

		{"unknown role", responsesSurface{}, "", `{"model":"MODEL","input":[{"role":"wizard","content":"hi"}]}`, "/input/0/role"},
		{"orphan tool result", responsesSurface{}, "", `{"model":"MODEL","input":[` + user + `,{"type":"function_call_output","call_id":"x","output":"y"}]}`, "/input/1/call_id"},
		{"unanswered call", responsesSurface{}, "", `{"model":"MODEL","input":[` + user + `,{"type":"function_call","call_id":"x","name":"f","arguments":"{}"},` + user + `]}`, "/input/1"},
		{"bad base64", responsesSurface{}, "", `{"model":"MODEL","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,%%%"}]}]}`, "/input/0/content/0/image_url"},
		{"wrong type", responsesSurface{}, "", `{"model":"MODEL","input":"hi","temperature":"hot"}`, "/temperature"},
		{"empty input", responsesSurface{}, "", `{"model":"MODEL","input":[]}`, "/input"},
		{"stored state", responsesSurface{}, "", `{"model":"MODEL","input":"hi","previous_response_id":"resp_1"}`, "/previous_response_id"},
		{"no model", responsesSurface{}, "", `{"input":"hi"}`, "/model"},

		{"unknown role", messagesSurface{}, "", `{"model":"MODEL","max_tokens":9,"messages":[{"role":"wizard","content":"hi"}]}`, "/messages/0/role"},
		{"orphan tool result", messagesSurface{}, "", `{"model":"MODEL","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"y"}]}]}`, "/messages/0/content/0"},
		{"unanswered call", messagesSurface{}, "", `{"model":"MODEL","max_tokens":9,"messages":[` + user + `,{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":{}}]},` + user + `]}`, "/messages/1/content/0"},
		{"bad base64", messagesSurface{}, "", `{"model":"MODEL","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%%%"}}]}]}`, "/messages/0/content/0/source/data"},
		{"no max_tokens", messagesSurface{}, "", `{"model":"MODEL","messages":[` + user + `]}`, "/max_tokens"},
		{"wrong type", messagesSurface{}, "", `{"model":"MODEL","max_tokens":9,"messages":[` + user + `],"temperature":"hot"}`, "/temperature"},
		{"empty messages", messagesSurface{}, "", `{"model":"MODEL","max_tokens":9,"messages":[]}`, "/messages"},
		{"an empty text", messagesSurface{}, "", `{"model":"MODEL","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":""}]}]}`, "/messages/0/content/0/text"},
		{"no model", messagesSurface{}, "", `{"max_tokens":9,"messages":[` + user + `]}`, "/model"},

		{"unknown role", generateSurface{}, "", `{"contents":[{"role":"wizard","parts":[{"text":"hi"}]}]}`, "/contents/0/role"},
		{"orphan tool result", generateSurface{}, "", `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"y"}}}]}]}`, "/contents/0/parts/0/functionResponse"},
		{"unanswered call", generateSurface{}, "", `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"text":"hi"}]}]}`, "/contents/1/parts/0/functionCall"},
		{"bad base64", generateSurface{}, "", `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"%%%"}}]}]}`, "/contents/0/parts/0/inlineData/data"},
		{"wrong type", generateSurface{}, "", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"temperature":"hot"}}`, "/generationConfig/temperature"},
		{"empty contents", generateSurface{}, "", `{"contents":[]}`, "/contents"},
		{"two things in a part", generateSurface{}, "", `{"contents":[{"role":"user","parts":[{"text":"hi","functionCall":{"name":"f"}}]}]}`, "/contents/0/parts/0"},
		{"another model in the body", generateSurface{}, "", `{"model":"models/other","contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "/model"},
	} {
		for _, u := range ups[:4] {
			if native(c.surface, u) {
				continue
			}
			t.Run(strings.ReplaceAll(c.surface.name()+" to "+u.name+"/"+c.name, " ", "_"), func(t *testing.T) {
				path, _ := c.surface.request(&scenes[0], u.slug(), false, nil)
				a := p.send(t, path, c.surface.auth(), strings.ReplaceAll(c.body, "MODEL", u.slug()))
				code, field, ok := c.surface.fault(a.body)
				if a.status != 400 || !ok || code != string(sluice.CodeInvalidRequest) || field != c.field {
					t.Errorf("%d at %q instead of %q: %s", a.status, field, c.field, a.body)
				}
				if len(u.take()) != 0 || a.record.Code != sluice.CodeInvalidRequest || a.record.Usage != (sluice.Usage{}) {
					t.Errorf("it cost something: %+v", a.record)
				}
			})
		}
	}
}
