package gemini_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/gemini"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// back is what an account of the dialect can do.
type back interface {
	form.Back
	form.Embedder
	form.Counter
}

// newBack returns an account.
func newBack(t testing.TB, settings map[string]any) back {
	t.Helper()
	plan, err := gemini.Dialect{}.Prepare(dialect.Account{Provider: &sluice.Provider{Type: gemini.Name, Settings: settings}})
	if err != nil {
		t.Fatal(err)
	}
	return plan.(back)
}

// Each script shows one rule of docs/dialects/gemini.md: without it a request
// would lose its meaning, be refused by the provider, or an answer would reach
// the client changed.
//
// A script is a list of sections, "== kind words", and behind "----" what came of
// each:
//
//	ask PATH        the body of a client; gives the form of it, or the error
//	events          events of an answer, which end the ask before; gives what the client gets
//	chat MODEL ...  the form of a conversation; gives the provider's request ("strict", "lower", "count")
//	stream, whole   the provider's answer to the chat before; gives its events
//	embed MODEL     the form of a request for embeddings; gives the provider's request
//	vectors         the provider's answer to that
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
			got := (&machine{t: t}).run(input)
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

// machine runs one script.
type machine struct {
	t      *testing.T
	out    strings.Builder
	ask    *dialect.Ask
	back   back
	target *form.Target
}

func (m *machine) run(input string) string {
	for _, section := range strings.Split("\n"+input+"\n", "\n== ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		words := strings.Fields(title)
		fmt.Fprintf(&m.out, "== %s\n", title)
		body = strings.TrimSpace(body)
		switch words[0] {
		case "ask":
			m.asks(words[1], body)
		case "events":
			m.events(body)
		case "chat":
			m.chat(words[1], strings.Join(words[2:], " "), body)
		case "stream":
			m.decode(func(d form.Decoder) error {
				for line := range strings.Lines(body) {
					if err := d.Event(nil, []byte(strings.TrimSpace(line))); err != nil {
						return err
					}
				}
				return d.End()
			})
		case "whole":
			m.decode(func(d form.Decoder) error { return d.Whole([]byte(body)) })
		case "embed":
			m.embed(words[1], body)
		case "vectors":
			found, err := m.back.DecodeEmbed([]byte(body))
			m.print(found, err)
		default:
			m.t.Fatalf("no such section: %s", title)
		}
	}
	return m.out.String()
}

// print writes what came of a section.
func (m *machine) print(v any, err error) {
	if err != nil {
		e := sluice.AsError(err)
		fmt.Fprintf(&m.out, "%s at %q: %s\n", e.Code, e.Field, e.Message)
		return
	}
	m.out.WriteString(render(m.t, v))
	m.out.WriteByte('\n')
}

// asks reads a client's request.
func (m *machine) asks(path, body string) {
	head := &sluice.Head{Method: "POST"}
	head.Path, head.RawQuery, _ = strings.Cut(path, "?")
	head.Fields.Add("Content-Type", "application/json")
	op, err := gemini.Surface{}.Operation(head.Method, head.Path)
	if err == nil {
		m.ask, err = gemini.Surface{}.Ask(op, head, []byte(body))
	}
	if err != nil {
		m.print(nil, err)
		return
	}
	if op.Name == dialect.OpEmbeddings {
		q, err := m.ask.Front.Embed()
		m.print(q, err)
		return
	}
	c, err := m.ask.Front.Chat()
	m.print(c, err)
}

// events tells an answer to the client.
func (m *machine) events(body string) {
	w := m.ask.Front.Writer(form.Info{RequestID: "req-1", Model: m.ask.Model, InputEstimate: 3})
	var out []byte
	var err error
	for line := range strings.Lines(body) {
		var ev form.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			m.t.Fatalf("%v in %s", err, line)
		}
		if out, err = w.Write(out, &ev); err != nil {
			m.print(nil, err)
			return
		}
	}
	out, err = w.End(out)
	if err != nil {
		m.print(nil, err)
		return
	}
	fmt.Fprintf(&m.out, "%s\n%s\n", w.ContentType(), strings.TrimSpace(strings.ReplaceAll(string(out), "\r\n", "\n")))
}

// chat writes the provider's request.
func (m *machine) chat(model, how, body string) {
	var c form.Chat
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		m.t.Fatal(err)
	}
	var settings map[string]any
	if strings.Contains(how, "lower") {
		settings = map[string]any{"json_schema": false}
	}
	m.back = newBack(m.t, settings)
	m.target = &form.Target{Model: model, Strict: strings.Contains(how, "strict")}
	encode := m.back.EncodeChat
	if strings.Contains(how, "count") {
		encode = m.back.EncodeCount
	}
	m.encoded(encode(&c, m.target))
}

// encoded prints a provider's request.
func (m *machine) encoded(e form.Encoded, err error) {
	if err != nil {
		m.print(nil, err)
		return
	}
	fmt.Fprintln(&m.out, e.Path)
	m.print(json.RawMessage(e.Body), nil)
	if len(m.target.Dropped) > 0 {
		fmt.Fprintf(&m.out, "dropped: %s\n", strings.Join(m.target.Dropped, ", "))
	}
}

// decode reads a provider's answer.
func (m *machine) decode(read func(form.Decoder) error) {
	emitter := form.NewEmitter("req-1", func(ev *form.Event) error {
		told := *ev
		m.out.WriteString(compact(m.t, prune(reflect.ValueOf(told))))
		m.out.WriteByte('\n')
		return nil
	})
	if err := read(m.back.Decoder(emitter, m.target)); err != nil {
		m.out.WriteString("error: " + err.Error() + "\n")
		return
	}
	if !emitter.Finished() {
		m.out.WriteString("unfinished\n")
	}
}

// embed writes the provider's request for embeddings.
func (m *machine) embed(model, body string) {
	var q form.Embed
	if err := json.Unmarshal([]byte(body), &q); err != nil {
		m.t.Fatal(err)
	}
	m.back, m.target = newBack(m.t, nil), &form.Target{Model: model}
	m.encoded(m.back.EncodeEmbed(&q, m.target))
}

// render writes a value without what is zero in it.
func render(t *testing.T, v any) string {
	text := compact(t, prune(reflect.ValueOf(v)))
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func compact(t *testing.T, v any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// pair is a field that is not zero.
type pair struct {
	name  string
	value any
}

// fields is an object in its own order.
type fields []pair

func (f fields) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, p := range f {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, '"'), p.name+`":`...), value...)
	}
	return append(out, '}'), nil
}

// prune leaves out what is zero.
func prune(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return prune(v.Elem())
	case reflect.Slice:
		if raw, ok := v.Interface().(json.RawMessage); ok {
			return raw
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = prune(v.Index(i))
		}
		return list
	case reflect.Struct:
		var f fields
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				f = append(f, pair{v.Type().Field(i).Name, prune(v.Field(i))})
			}
		}
		return f
	}
	return v.Interface()
}
