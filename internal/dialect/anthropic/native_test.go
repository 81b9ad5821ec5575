package anthropic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/anthropic"
)

// script is one exchange with a target of the same protocol.
type script struct {
	provider sluice.Provider
	head     sluice.Head
	body     []byte
	answer   sluice.RespHead
	text     string
	// translate hides from the dialect that the surface is its own.
	translate bool
}

// Between equals nothing may change but what has to: each script shows a body
// changed in the wrong place, a credential shown, a half answer taken for a whole
// one, or tokens miscounted.
func TestNative(t *testing.T) {
	golden(t, "testdata/native.txt", func(t *testing.T, input string) string {
		return exchange(t, parse(t, input))
	})
}

// The codecs of both sides must fit each other and the guard between them: the
// same exchanges as if the surface were another one.
func TestTranslated(t *testing.T) {
	golden(t, "testdata/translated.txt", func(t *testing.T, input string) string {
		s := parse(t, input)
		s.translate = true
		return exchange(t, s)
	})
}

// exchange plays a script twice: how the answer is cut must not matter.
func exchange(t *testing.T, s script) string {
	whole, err := play(s, len(s.text))
	if err != nil {
		return showError(err)
	}
	if pieces, _ := play(s, 1); pieces != whole {
		t.Errorf("byte by byte:\n%s\nin one piece:\n%s", pieces, whole)
	}
	return whole
}

// parse reads a script: "provider" with JSON, "request" with path, fields and
// body, "answer" with status, type and body.
func parse(t *testing.T, input string) script {
	t.Helper()
	var s script
	for _, section := range strings.Split("\n"+input, "\n> ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		words := strings.Fields(title)
		switch words[0] {
		case "provider":
			if err := json.Unmarshal([]byte(strings.TrimPrefix(title, "provider ")), &s.provider); err != nil {
				t.Fatal(err)
			}
		case "request":
			s.head = sluice.Head{Method: "POST", Path: words[1]}
			s.head.Fields.Add("Content-Type", "application/json")
			fields, body, _ := strings.Cut(text, "{")
			for line := range strings.SplitSeq(strings.TrimSpace(fields), "\n") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					s.head.Fields.Add(name, value)
				}
			}
			s.body = []byte("{" + body)
		case "answer":
			if _, err := fmt.Sscan(words[1], &s.answer.Status); err != nil {
				t.Fatal(err)
			}
			s.answer.ContentLength = -1
			s.answer.Fields.Add("Content-Type", words[2])
			s.text = text
		}
	}
	return s
}

// play carries a script through a leg, the answer in pieces of a size.
func play(s script, size int) (string, error) {
	op, err := anthropic.Surface{}.Operation("POST", s.head.Path)
	if err != nil {
		return "", err
	}
	ask, err := anthropic.Surface{}.Ask(op, &s.head, s.body)
	if err != nil {
		return "", err
	}
	if ask.RequestID = "0198-ab"; s.translate {
		ask.Detail = nil
	}
	d := anthropic.Dialect{}
	if err := d.Check(&s.provider); err != nil {
		return "", err
	}
	leg, err := d.Open(ask, dialect.Account{Provider: &s.provider, APIKey: s.provider.APIKey, Model: s.provider.UpstreamModel(ask.Model)})
	if err != nil {
		return "", err
	}
	var call sluice.Call
	if err := leg.Request(&call); err != nil {
		return "", err
	}
	out := fmt.Sprintf("%s %s://%s%s\n%s\n%s\n", call.Method, call.Scheme, call.Addr, call.Target, showFields(&call.Fields), bytes.Join(call.Body, nil))
	if s.answer.Status == 0 {
		return out, nil
	}
	if s.answer.Status >= 300 {
		return out + showError(leg.Failure(&s.answer, []byte(s.text))), nil
	}
	return out + answer(leg, &s, size), nil
}

// answer feeds the answer and shows what the client gets.
func answer(leg dialect.Leg, s *script, size int) string {
	var head sluice.RespHead
	if err := leg.Begin(&s.answer, &head); err != nil {
		return "begin " + showError(err)
	}
	var body []byte
	var err error
	for rest := []byte(s.text); len(rest) > 0 && err == nil; {
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
	out := fmt.Sprintf("client: %d\n%s\n%s\n", head.Status, showFields(&head.Fields), strings.TrimRight(string(body), "\n"))
	if err != nil {
		out += showError(err) + "\n"
	}
	usage, source := leg.Usage()
	return out + fmt.Sprintf("usage: %s %s", source, show(usage))
}

func showFields(f *sluice.Fields) string {
	var lines []string
	for i := range f.Len() {
		lines = append(lines, "  "+f.At(i).Name+": "+f.At(i).Value)
	}
	return strings.Join(lines, "\n")
}
