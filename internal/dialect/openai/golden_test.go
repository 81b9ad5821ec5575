package openai_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// script is one case: what a client asks, which provider is tried, what the
// target answers. In bodies ␍ stands for a carriage return and ␃ for an end
// without a line feed.
type script struct {
	provider     sluice.Provider
	method, path string
	head         sluice.Head
	body         []byte
	answers      bool
	answer       sluice.RespHead
	answerBody   []byte
}

// Each script shows what would be lost: a body changed in the wrong place, a
// credential shown, a half answer taken for a whole one, tokens miscounted.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(text), "\n----\n")
			got := run(t, parse(t, input))
			if *update {
				if err := os.WriteFile(file, []byte(input+"\n----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// parse reads the input of a script.
func parse(t *testing.T, input string) script {
	t.Helper()
	s := script{}
	sections := strings.Split("\n"+input+"\n", "\n== ")
	for _, section := range sections[1:] {
		title, text, _ := strings.Cut(section, "\n")
		words := strings.Fields(title)
		switch words[0] {
		case "provider":
			if err := json.Unmarshal([]byte(text), &s.provider); err != nil {
				t.Fatal(err)
			}
		case "request":
			s.method, s.path = words[1], words[2]
			s.head.Method, s.head.Path = words[1], words[2]
			s.body = fieldsAndBody(text, &s.head.Fields)
		case "answer":
			s.answers = true
			if _, err := fmt.Sscan(words[1], &s.answer.Status); err != nil {
				t.Fatal(err)
			}
			s.answerBody = fieldsAndBody(text, &s.answer.Fields)
			s.answer.ContentLength = -1
		default:
			t.Fatalf("unknown section %q", title)
		}
	}
	return s
}

// fieldsAndBody reads "Name: value" lines up to a blank one, then the body.
func fieldsAndBody(text string, fields *sluice.Fields) []byte {
	for {
		line, rest, _ := strings.Cut(text, "\n")
		name, value, ok := strings.Cut(line, ": ")
		if line == "" || !ok {
			if line == "" {
				text = rest
			}
			body := strings.ReplaceAll(text, "␍", "\r")
			if cut, _, ended := strings.Cut(body, "␃"); ended {
				body = cut
			}
			return []byte(body)
		}
		fields.Add(name, value)
		text = rest
	}
}

// run plays a script and prints what happened.
func run(t *testing.T, s script) string {
	t.Helper()
	var out strings.Builder
	surface := openai.Surface{}
	op, err := surface.Operation(s.method, s.path)
	if err != nil {
		return showError("operation", err)
	}
	ask, err := surface.Ask(op, &s.head, s.body)
	if err != nil {
		return showError("ask", err)
	}
	showAsk(&out, ask)
	leg, err := open(s, ask)
	if err != nil {
		return out.String() + showError("open", err)
	}
	var call sluice.Call
	if err := leg.Request(&call); err != nil {
		return out.String() + showError("request", err)
	}
	showCall(&out, &call)
	if !s.answers {
		return out.String()
	}
	if s.answer.Status >= 300 {
		return out.String() + showError("failure", leg.Failure(&s.answer, s.answerBody))
	}
	whole := play(leg, s, len(s.answerBody))
	again, err := open(s, ask)
	if err != nil {
		t.Fatal(err)
	}
	if bytewise := play(again, s, 1); bytewise != whole {
		t.Errorf("byte by byte:\n%s\nin one piece:\n%s", bytewise, whole)
	}
	return out.String() + whole
}

func open(s script, ask *dialect.Ask) (dialect.Leg, error) {
	d, ok := builtin.Registry(nil).Dialect(s.provider.Type)
	if !ok {
		return nil, fmt.Errorf("no dialect %q", s.provider.Type)
	}
	if err := d.Check(&s.provider); err != nil {
		return nil, err
	}
	return d.Open(ask, dialect.Account{Provider: &s.provider, APIKey: s.provider.APIKey, Model: s.provider.UpstreamModel(ask.Model)})
}

// play feeds the answer in pieces of a size and prints what the client gets.
func play(leg dialect.Leg, s script, size int) string {
	var out strings.Builder
	var head sluice.RespHead
	if err := leg.Begin(&s.answer, &head); err != nil {
		return showError("begin", err)
	}
	var body []byte
	var err error
	for rest := s.answerBody; len(rest) > 0 && err == nil; {
		n := min(max(size, 1), len(rest))
		var piece []byte
		piece, err = leg.Feed(bytes.Clone(rest[:n]))
		body = append(body, piece...)
		rest = rest[n:]
	}
	if err == nil {
		var piece []byte
		piece, err = leg.Finish()
		body = append(body, piece...)
	}
	fmt.Fprintf(&out, "client: %d\n", head.Status)
	showFields(&out, &head.Fields)
	showBody(&out, body)
	if err != nil {
		out.WriteString(showError("answer", err))
	}
	usage, source := leg.Usage()
	fmt.Fprintf(&out, "usage: %s %s\n", source, mustJSON(usage))
	return out.String()
}

func showAsk(out *strings.Builder, a *dialect.Ask) {
	fmt.Fprintf(out, "ask: %s model=%q stream=%v max_tokens=%d choices=%d upper=%d estimate=%d", a.Operation.Name, a.Model,
		a.Stream, a.MaxTokens, a.Choices, a.InputUpper, a.InputEstimate)
	if a.Pieces != (sluice.Pieces{}) || a.OutputUpper != 0 {
		fmt.Fprintf(out, " pieces=%s output=%d", mustJSON(a.Pieces), a.OutputUpper)
	}
	for _, need := range []struct {
		name string
		set  bool
	}{{"vision", a.NeedsVision}, {"functions", a.NeedsFunctions}, {"tool_choice", a.NeedsToolChoice}, {"fim", a.NeedsFIM},
		{"audio", a.NeedsAudio}, {"files", a.NeedsFiles}, {"reasoning", a.NeedsReasoning}, {"schema", a.NeedsSchema}, {"usage", a.WantsUsage}} {
		if need.set {
			out.WriteString(" +" + need.name)
		}
	}
	out.WriteString("\n")
}

func showCall(out *strings.Builder, c *sluice.Call) {
	fmt.Fprintf(out, "call: %s %s://%s %s (host %s)\n", c.Method, c.Scheme, c.Addr, c.Target, c.Host)
	showFields(out, &c.Fields)
	showBody(out, bytes.Join(c.Body, nil))
}

func showFields(out *strings.Builder, f *sluice.Fields) {
	for i := range f.Len() {
		fmt.Fprintf(out, "  %s: %s\n", f.At(i).Name, f.At(i).Value)
	}
}

func showBody(out *strings.Builder, body []byte) {
	text := strings.ReplaceAll(string(body), "\r", "␍")
	if !strings.HasSuffix(text, "\n") {
		text += "␃\n"
	}
	out.WriteString("  |" + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  |") + "\n")
}

func showError(where string, err error) string {
	e := sluice.AsError(err)
	out := fmt.Sprintf("%s error: %s %q", where, e.Code, e.Message)
	if e.Field != "" {
		out += " field=" + e.Field
	}
	if e.RetryAfter > 0 {
		out += fmt.Sprintf(" retry_after=%d", e.RetryAfter)
	}
	if len(e.Details) > 0 {
		out += " details=" + mustJSON(e.Details)
	}
	return out + fmt.Sprintf(" retryable=%v\n", dialect.Retryable(e))
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
