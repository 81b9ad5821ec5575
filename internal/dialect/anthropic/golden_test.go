package anthropic_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/anthropic"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// golden plays the cases of one file: "== name", the input, "----", what comes
// of it.
func golden(t *testing.T, file string, play func(t *testing.T, input string) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "== ")
	out := head
	for _, c := range strings.Split(rest, "\n== ") {
		name, script, _ := strings.Cut(c, "\n")
		input, want, _ := strings.Cut(script, "\n----\n")
		want = strings.TrimRight(want, "\n")
		got := ""
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			got = strings.TrimRight(play(t, input), "\n")
			if got != want && !*update {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
		out += "== " + name + "\n" + input + "\n----\n" + got + "\n\n"
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What a client says must arrive in the form unchanged, and what it says wrongly
// must be blamed on the right field.
func TestFront(t *testing.T) {
	golden(t, "testdata/front.txt", func(t *testing.T, input string) string {
		ask, err := askFor("/v1/messages", input)
		if err != nil {
			return "ask " + showError(err)
		}
		chat, err := ask.Front.Chat()
		if err != nil {
			return showError(err)
		}
		return show(*chat)
	})
}

func askFor(path, body string) (*dialect.Ask, error) {
	head := sluice.Head{Method: "POST", Path: path}
	head.Fields.Add("Content-Type", "application/json")
	op, err := anthropic.Surface{}.Operation("POST", path)
	if err != nil {
		return nil, err
	}
	return anthropic.Surface{}.Ask(op, &head, []byte(body))
}

// back is an account of the vendor.
func back(t testing.TB) form.Back {
	t.Helper()
	plan, err := anthropic.Dialect{}.Prepare(dialect.Account{Provider: &sluice.Provider{Type: "anthropic"}, APIKey: "sk-ant-test-credential"})
	if err != nil {
		t.Fatal(err)
	}
	return plan.(form.Back)
}

// Anthropic refuses what it does not know or want: every rule that is broken
// here is a 400 that the client cannot explain.
func TestBack(t *testing.T) {
	golden(t, "testdata/back.txt", func(t *testing.T, input string) string {
		target, chat := readChat(t, input)
		encoded, err := back(t).EncodeChat(chat, target)
		if err != nil {
			return showError(err)
		}
		out := encoded.Path + "\n" + indent(encoded.Body)
		if len(target.Dropped) > 0 {
			out += "dropped: " + strings.Join(target.Dropped, ", ")
		}
		return out
	})
}

// readChat reads lines of settings, then a chat as JSON.
func readChat(t *testing.T, input string) (*form.Target, *form.Chat) {
	t.Helper()
	target := &form.Target{Model: "claude-sonnet-4-5"}
	for !strings.HasPrefix(input, "{") {
		line, rest, ok := strings.Cut(input, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "model":
			target.Model = value
		case "strict":
			target.Strict = true
		case "max_output":
			target.Entry = &sluice.Model{}
			if _, err := fmt.Sscan(value, &target.Entry.MaxOutputTokens); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("unknown setting %q", line)
		}
		if input = rest; !ok {
			t.Fatal("there is no chat")
		}
	}
	chat := &form.Chat{}
	decoder := json.NewDecoder(strings.NewReader(input))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(chat); err != nil {
		t.Fatal(err)
	}
	return target, chat
}

// An answer that loses a piece, or puts it in another order, breaks the client's
// next request or its accounts.
func TestStream(t *testing.T) {
	golden(t, "testdata/stream.txt", func(t *testing.T, input string) string {
		return decode(t, input, true)
	})
}

// A whole answer must tell what the same answer told as a stream does.
func TestWhole(t *testing.T) {
	golden(t, "testdata/whole.txt", func(t *testing.T, input string) string {
		return decode(t, input, false)
	})
}

// decode reads a provider's answer and shows its events.
func decode(t *testing.T, input string, stream bool) string {
	target := &form.Target{Model: "claude-sonnet-4-5"}
	target.ToolName("weird.name", 128, "")
	target.CustomTool(target.ToolName("patch", 128, ""))
	var events []form.Event
	emitter := form.NewEmitter("req-1", func(ev *form.Event) error {
		events = append(events, *ev)
		return nil
	})
	err := feed(back(t).Decoder(emitter, target), input, stream)
	out := ""
	for i := range events {
		out += show(events[i]) + "\n"
	}
	if err != nil {
		return out + showError(err)
	}
	if !emitter.Finished() {
		return out + "not finished"
	}
	return out
}

// feed gives an answer to a decoder.
func feed(d form.Decoder, input string, stream bool) error {
	if !stream {
		return d.Whole([]byte(input))
	}
	var scanner sse.Scanner
	scanner.Reset(1 << 20)
	scanner.Push([]byte(input + "\n\n"))
	var ev sse.Event
	for scanner.Next(&ev) {
		if len(bytes.TrimSpace(ev.Data)) == 0 {
			continue
		}
		if err := d.Event(ev.Name, ev.Data); err != nil {
			return err
		}
	}
	return d.End()
}

// The official SDKs assemble messages from these frames: one in the wrong order
// or with a wrong index ends the client's stream.
func TestWriter(t *testing.T) {
	golden(t, "testdata/writer.txt", func(t *testing.T, input string) string {
		return "stream:\n" + write(t, input, true) + "\nwhole:\n" + indent([]byte(write(t, input, false)))
	})
}

// write renders events, one JSON object on each line.
func write(t *testing.T, input string, stream bool) string {
	t.Helper()
	ask, err := askFor("/v1/messages", fmt.Sprintf(`{"model":"m","max_tokens":9,"stream":%v,"messages":[{"role":"user","content":"x"}]}`, stream))
	if err != nil {
		t.Fatal(err)
	}
	w := ask.Front.Writer(form.Info{RequestID: "0198-ab", Model: "our-model", InputEstimate: 7})
	var out []byte
	for line := range strings.SplitSeq(input, "\n") {
		var ev form.Event
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&ev); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if out, err = w.Write(out, &ev); err != nil {
			t.Fatal(err)
		}
	}
	if out, err = w.End(out); err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(string(out), "\n")
}

func showError(err error) string {
	if fault, ok := err.(*form.Fault); ok {
		return "fault: " + string(fault.Doc)
	}
	e := sluice.AsError(err)
	if e == nil {
		return "error: " + err.Error()
	}
	out := fmt.Sprintf("error: %s %s", e.Code, e.Message)
	if e.Field != "" {
		out += " at " + e.Field
	}
	return out
}

// indent puts every member of a document on a line of its own, and every
// element of its longer lists.
func indent(doc []byte) string {
	var b strings.Builder
	members := jsonscan.Document(doc)
	for members.Next() {
		v := members.Value()
		fmt.Fprintf(&b, "%s: ", members.Key())
		switch string(members.Key()) {
		case "messages", "content", "system", "tools":
			for e := v.Elements(doc); e.Next(); {
				fmt.Fprintf(&b, "\n  %s", e.Value().In(doc))
			}
		default:
			b.Write(v.In(doc))
		}
		b.WriteString("\n")
	}
	if members.Err() != nil {
		return string(doc)
	}
	return b.String()
}

// show prints a value of the forms without what is zero.
func show(v any) string {
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Pointer:
		return show(value.Elem().Interface())
	case reflect.Struct:
		var fields []string
		for i := range value.NumField() {
			if f := value.Field(i); !f.IsZero() {
				fields = append(fields, value.Type().Field(i).Name+": "+show(f.Interface()))
			}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case reflect.Slice:
		if raw, ok := v.(json.RawMessage); ok {
			return string(raw)
		}
		var elements []string
		for i := range value.Len() {
			elements = append(elements, show(value.Index(i).Interface()))
		}
		if value.Len() > 0 && value.Index(0).Kind() == reflect.Struct {
			return "[\n  " + strings.ReplaceAll(strings.Join(elements, "\n"), "\n", "\n  ") + "\n]"
		}
		return "[" + strings.Join(elements, ", ") + "]"
	case reflect.String:
		return fmt.Sprintf("%q", value.String())
	}
	return fmt.Sprint(v)
}
