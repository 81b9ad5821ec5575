package openai_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// Each script is a request of this surface that takes the way through the
// intermediate form, as if its target spoke another protocol, to a provider of
// this protocol and back: what is lost there is lost for every other protocol.
func TestTranslations(t *testing.T) {
	var files []string
	for _, pattern := range []string{"testdata/translate/*.txt", "testdata/presets/*.txt"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no scripts %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(text), "\n----\n")
			got := translate(t, parse(t, input))
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

// A preset without a script is a row that nobody has ever tried.
func TestEveryDialectHasAScript(t *testing.T) {
	for _, d := range openai.Dialects() {
		if _, err := os.Stat("testdata/presets/" + d.Name() + ".txt"); err != nil {
			t.Error(err)
		}
	}
}

// translate plays a script through the intermediate form.
func translate(t *testing.T, s script) string {
	t.Helper()
	op, err := openai.Surface{}.Operation(s.method, s.path)
	if err != nil {
		return showError("operation", err)
	}
	ask, err := openai.Surface{}.Ask(op, &s.head, s.body)
	if err != nil {
		return showError("ask", err)
	}
	leg, err := openForeign(s, ask)
	if err != nil {
		return showError("open", err)
	}
	var call sluice.Call
	if err := leg.Request(&call); err != nil {
		return showError("request", err)
	}
	var out strings.Builder
	out.WriteString("call: " + call.Target + "\n")
	showBody(&out, bytes.Join(call.Body, nil))
	if !s.answers {
		return out.String()
	}
	whole := play(leg, s, len(s.answerBody))
	again, err := openForeign(s, ask)
	if err != nil {
		t.Fatal(err)
	}
	if bytewise := play(again, s, 1); bytewise != whole {
		t.Errorf("byte by byte:\n%s\nin one piece:\n%s", bytewise, whole)
	}
	return out.String() + whole
}

// openForeign opens a leg as if the ask came from another surface.
func openForeign(s script, ask *dialect.Ask) (dialect.Leg, error) {
	foreign := *ask
	foreign.Detail, foreign.RequestID, foreign.At = nil, "0192-abcd", time.Unix(1700000000, 0)
	return open(s, &foreign)
}
