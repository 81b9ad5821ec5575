package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/responses"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// scripts runs every script of a folder: sections, a line of four dashes, and
// what comes of them.
func scripts(t *testing.T, folder string, run func(t *testing.T, sections map[string]string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
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
			got := run(t, sections(input))
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimRight(input, "\n")+"\n----\n"+got), 0o644); err != nil {
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

// sections splits "== name" headings from their texts.
func sections(input string) map[string]string {
	found := map[string]string{}
	for _, section := range strings.Split("\n"+input+"\n", "\n== ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		found[title] = strings.TrimRight(text, "\n")
	}
	return found
}

// pretty lays out JSON.
func pretty(doc []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return string(doc)
	}
	return out.String()
}

// complaint renders an error.
func complaint(err error) string {
	var fault *form.Fault
	if errors.As(err, &fault) {
		return "fault: " + string(fault.Doc) + "\n"
	}
	e := sluice.AsError(err)
	return fmt.Sprintf("error: %s at %q: %s\n", e.Code, e.Field, e.Message)
}

// front reads a request as the gateway does.
func front(body string) (*responses.Front, *form.Chat, error) {
	if _, err := responses.Inspect([]byte(body)); err != nil {
		return nil, nil, err
	}
	f := responses.NewFront([]byte(body))
	chat, err := f.Chat()
	return f, chat, err
}

// A request that is misread asks the model something else.
func TestRequests(t *testing.T) {
	scripts(t, "read", func(t *testing.T, s map[string]string) string {
		_, chat, err := front(s["request"])
		if err != nil {
			return complaint(err)
		}
		return pretty(describe(chat)) + "\n"
	})
}

// describe renders what is set of a conversation.
func describe(chat *form.Chat) []byte {
	raw, err := json.Marshal(chat)
	if err != nil {
		panic(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		panic(err)
	}
	out, err := json.Marshal(stripped(tree))
	if err != nil {
		panic(err)
	}
	return out
}

// stripped removes members that say nothing.
func stripped(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member = stripped(member); empty(member) {
				delete(v, name)
			} else {
				v[name] = member
			}
		}
	case []any:
		for i := range v {
			v[i] = stripped(v[i])
		}
	}
	return v
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return false
	case float64:
		return v == 0
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

var info = form.Info{RequestID: "0198-abcd", Model: "our-model", Created: 1700000000}

// What a client is told of an answer: an event out of place, a number missing,
// and its SDK fails.
func TestAnswers(t *testing.T) {
	scripts(t, "write", func(t *testing.T, s map[string]string) string {
		out := ""
		for _, streamed := range [...]string{"true", "false"} {
			body := strings.Replace(s["request"], `"STREAM"`, streamed, 1)
			f, _, err := front(body)
			if err != nil {
				t.Fatal(err)
			}
			text, err := tell(f.Writer(info), s["events"])
			out += "== stream " + streamed + "\n" + text
			if err != nil {
				out += complaint(err) + string(f.Failed(info, []byte(`{"code":"X"}`)))
			}
			out = strings.TrimRight(out, "\n") + "\n"
		}
		return out
	})
}

// tell plays lines of events to a writer.
func tell(w form.Writer, lines string) (string, error) {
	var out []byte
	emit := form.NewEmitter(info.RequestID, func(ev *form.Event) (err error) {
		out, err = w.Write(out, ev)
		return err
	})
	for _, line := range strings.Split(lines, "\n") {
		if err := play(emit, line); err != nil {
			return string(out), err
		}
	}
	out, err := w.End(out)
	return string(out), err
}

// play tells the emitter one line.
func play(emit *form.Emitter, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.ReplaceAll(rest, `\n`, "\n")
	args := strings.SplitN(rest, " ", 3)
	switch word {
	case "text":
		return emit.Text(0, rest)
	case "thought":
		return emit.Reasoning(0, rest)
	case "refusal":
		return emit.Refusal(0, rest)
	case "signed":
		return emit.Signature(0, form.Signature{Origin: args[0], Value: args[1]})
	case "sealed":
		return emit.Sealed(0, args[0], args[1])
	case "call", "custom", "signedcall":
		c := form.Call{ID: args[0], Name: args[1], Custom: word == "custom"}
		s := form.Signature{}
		if word == "signedcall" {
			s = form.Signature{Origin: "gemini", Value: "c2ln"}
		}
		return emit.Call(0, args[0], c, strings.Join(args[2:], ""), s)
	case "image":
		return emit.Whole(0, form.Part{Kind: form.PartImage, Media: &form.Media{Type: "image/png", Data: rest}})
	case "other":
		return emit.Whole(0, form.Part{Kind: form.PartOther, Origin: "anthropic", Raw: []byte(rest)})
	case "close":
		return emit.Close(0)
	case "usage":
		var u sluice.Usage
		if err := json.Unmarshal([]byte(rest), &u); err != nil {
			return err
		}
		return emit.Usage(u)
	case "finish":
		return emit.Finish(0, form.StopReason(rest), "")
	}
	return fmt.Errorf("unknown line %q", line)
}

// A request that is written wrongly is refused by OpenAI, or asks something
// else; what was left out must be named.
func TestEncoding(t *testing.T) {
	scripts(t, "encode", func(t *testing.T, s map[string]string) string {
		_, chat, err := front(s["request"])
		if err != nil {
			t.Fatal(err)
		}
		if change := s["change"]; change != "" {
			// What no client of this API can say, in the form's own words.
			if err := json.Unmarshal([]byte(change), chat); err != nil {
				t.Fatal(err)
			}
		}
		_, strict := s["strict"]
		target := form.Target{Model: "gpt-x", Strict: strict}
		sent, err := responses.Back{}.EncodeChat(chat, &target)
		if err != nil {
			return complaint(err)
		}
		return fmt.Sprintf("POST %s\n%s\ndropped: %s\n", sent.Path, pretty(sent.Body), strings.Join(target.Dropped, ", "))
	})
}

// An answer that is misread loses text, calls or money.
func TestDecoding(t *testing.T) {
	scripts(t, "decode", func(t *testing.T, s map[string]string) string {
		out := ""
		emit := form.NewEmitter("req", func(ev *form.Event) error {
			out += line(ev) + "\n"
			return nil
		})
		decoder := responses.Back{}.Decoder(emit, &form.Target{})
		var err error
		if doc, whole := s["whole"]; whole {
			err = decoder.Whole([]byte(doc))
		} else {
			err = drain(decoder, s["stream"])
		}
		if err != nil {
			return out + complaint(err)
		}
		if !emit.Finished() {
			out += "unfinished\n"
		}
		return out
	})
}

// drain hands a stream to a decoder.
func drain(decoder form.Decoder, stream string) error {
	scanner := sse.Scanner{Max: 1 << 20}
	scanner.Push([]byte(stream + "\n\n"))
	for ev := (sse.Event{}); scanner.Next(&ev); {
		if len(ev.Data) == 0 {
			continue
		}
		if err := decoder.Event(ev.Name, ev.Data); err != nil {
			return err
		}
	}
	return decoder.End()
}

// line renders one event.
func line(ev *form.Event) string {
	out := string(ev.Kind)
	add := func(name, value string) {
		if value != "" {
			out += " " + name + "=" + strconv.Quote(value)
		}
	}
	switch ev.Kind {
	case form.EventPartStart, form.EventPartStop:
		out += fmt.Sprintf(" %d %s", ev.Index, ev.Part.Kind)
	}
	if c := ev.Part.Call; c != nil {
		out += fmt.Sprintf(" id=%q name=%q custom=%t", c.ID, c.Name, c.Custom)
	}
	if m := ev.Part.Media; m != nil {
		out += fmt.Sprintf(" %s %s", m.Type, m.Data)
	}
	add("raw", string(ev.Part.Raw))
	add("id", ev.ID)
	add("text", ev.Text)
	add("sealed", ev.Sealed)
	add("origin", ev.Signature.Origin)
	add("signature", ev.Signature.Value)
	add("reason", string(ev.Reason))
	if ev.Kind == form.EventUsage {
		classes, _ := json.Marshal(ev.Usage)
		out += " " + string(classes)
	}
	return out
}
