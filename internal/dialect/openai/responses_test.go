package openai_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// Each script is a request to the Responses API, or to a provider that prefers
// it: stored where tenants share it, sent to the wrong place, charged wrongly or
// ended in another API's words is what would be lost.
func TestResponses(t *testing.T) {
	files, err := filepath.Glob("testdata/responses/*.txt")
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
			s := parse(t, input)
			got := run(t, s)
			if strings.Contains(got, "answer error") {
				got += ending(t, s)
			}
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

// ending plays a script again and returns how the gateway would end the stream.
func ending(t *testing.T, s script) string {
	t.Helper()
	op, err := openai.Surface{}.Operation(s.method, s.path)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := openai.Surface{}.Ask(op, &s.head, s.body)
	if err != nil {
		t.Fatal(err)
	}
	leg, err := open(s, ask)
	if err != nil {
		t.Fatal(err)
	}
	play(leg, s, len(s.answerBody))
	cut := sluice.Errorf(sluice.CodeProviderError, "the provider's answer was cut off")
	return "ending:\n" + string(ask.StreamError(openai.Surface{}, cut, "trace-1"))
}
