package sdk_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The shape of a request is what it is made of, a member a line, without what it
// says: the recordings of the agents hold no word of their makers, no path of a
// machine and no id of a session.
type shape map[string]bool

// telling are members whose values are part of the shape.
var telling = map[string]bool{"type": true, "role": true, "display": true, "effort": true, "summary": true, "context": true,
	"verbosity": true, "thinkingLevel": true, "keep": true, "tool_choice": true, "include": true}

// schemas are members that hold a JSON Schema; free are objects whose members
// anybody may choose.
var (
	schemas = map[string]bool{"input_schema": true, "parameters": true, "parametersJsonSchema": true}
	free    = map[string]bool{"args": true, "response": true, "client_metadata": true}
)

// add notes a value that stands at a place.
func (s shape) add(at, name string, v any) {
	switch v := v.(type) {
	case object:
		for member, inner := range v {
			switch place := at + "/" + member; {
			case schemas[member]:
				s.schema(place, inner)
			case free[member], member == "input" && v["type"] == "tool_use":
				s[place+" object"] = true
			default:
				s.add(place, member, inner)
			}
		}
	case []any:
		for _, element := range v {
			s.add(at+"["+kindOf(element)+"]", name, element)
		}
	case string:
		if telling[name] {
			s[at+" = "+v] = true
			return
		}
		s[at+" string"] = true
	case bool:
		s[fmt.Sprintf("%s = %v", at, v)] = true
	case float64:
		s[at+" number"] = true
	default:
		s[at+" null"] = true
	}
}

// kindOf tells the elements of a list apart.
func kindOf(element any) string {
	o, _ := element.(object)
	for _, name := range []string{"role", "type"} {
		if kind, ok := o[name].(string); ok {
			return kind
		}
	}
	return ""
}

// schema notes the keywords of a schema.
func (s shape) schema(at string, v any) {
	o, ok := v.(object)
	if !ok {
		return
	}
	for keyword, inner := range o {
		s[at+" uses "+keyword] = true
		if keyword != "properties" {
			s.schema(at, inner)
			continue
		}
		properties, _ := inner.(object)
		for _, property := range properties {
			s.schema(at, property)
		}
	}
}

// without lists what is not in others.
func (s shape) without(others shape) (missing []string) {
	for _, line := range slices.Sorted(maps.Keys(s)) {
		if !others[line] {
			missing = append(missing, line)
		}
	}
	return missing
}

// shapeOf reads a request.
func shapeOf(t *testing.T, body []byte) shape {
	t.Helper()
	var request object
	if err := json.Unmarshal(body, &request); err != nil {
		t.Fatal(err)
	}
	s := shape{}
	s.add("", "", request)
	return s
}

// recording is where the shape of an agent's requests is kept: those of the
// first, and behind a plus what later ones had besides.
func recording(agent string) string { return "testdata/agents/" + agent + ".shape.txt" }

// sent is what an agent sent, whoever answered: thoughts come back from some
// providers only.
type sent struct{ first, later shape }

// add takes the requests of one run.
func (s *sent) add(t *testing.T, done []*exchange) {
	t.Helper()
	for i, e := range done {
		if into := s.later; i > 0 {
			maps.Copy(into, shapeOf(t, e.body))
		} else {
			maps.Copy(s.first, shapeOf(t, e.body))
		}
	}
}

// compare holds what the agent sent to what it sent when it was recorded.
// SLUICE_TEST_AGENTS_RECORD=true records anew.
func (s *sent) compare(t *testing.T, a installed, version string) {
	t.Helper()
	if os.Getenv("SLUICE_TEST_AGENTS_RECORD") == "true" {
		text := "# " + a.npm + " " + version + "\n" + strings.Join(s.first.without(nil), "\n") + "\n"
		for _, line := range s.later.without(s.first) {
			text += "+ " + line + "\n"
		}
		if err := os.WriteFile(recording(a.name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first, all := recorded(t, a.name)
	news := append(s.first.without(first), s.later.without(all)...)
	if gone := first.without(s.first); len(news) > 0 || len(gone) > 0 {
		t.Errorf("%s %s sends what was not recorded: %q, and no longer %q (RECORD=true records it anew)", a.npm, version, news, gone)
	}
}

// recorded reads a recording: the shape of the first request, and of all.
func recorded(t *testing.T, agent string) (first, all shape) {
	t.Helper()
	text, err := os.ReadFile(recording(agent))
	if err != nil {
		t.Fatal(err)
	}
	first, all = shape{}, shape{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		line, later := strings.CutPrefix(line, "+ ")
		all[line] = true
		if !later {
			first[line] = true
		}
	}
	return first, all
}

// version is that of the agent's package.
func (a installed) version(t *testing.T, modules string) string {
	t.Helper()
	var about struct{ Version string }
	data, err := os.ReadFile(filepath.Join(modules, a.npm, "package.json"))
	if err == nil {
		err = json.Unmarshal(data, &about)
	}
	if err != nil {
		t.Fatal(err)
	}
	return about.Version
}

// TestAgentFixtures holds the requests that [TestAgents] replays to what the
// agents were recorded to send: a fixture of what nobody sends proves nothing.
func TestAgentFixtures(t *testing.T) {
	for _, a := range agents {
		t.Run(a.name, func(t *testing.T) {
			first, all := recorded(t, a.name)
			fixture := shapeOf(t, []byte(encoded(a.request(t, "m"))))
			for _, line := range fixture.without(all) {
				t.Errorf("the agent sends no %s", line)
			}
			for _, line := range first.without(fixture) {
				t.Errorf("the fixture lacks %s", line)
			}
		})
	}
}
