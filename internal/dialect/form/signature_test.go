package form_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// marks are what a body is searched for, the plain way.
func marks() (list []string) {
	for _, origin := range []string{form.OriginAnthropic, form.OriginGemini, form.OriginOpenAI} {
		list = append(list, form.Signature{Origin: origin, Value: "v"}.Travelling("")[:len("sluice-:")+len(origin)])
	}
	return append(list, base64.StdEncoding.EncodeToString([]byte("sluice-"))[:9])
}

// Lost otherwise: what another provider signed is passed on as it stands, and
// refused or, worse, dropped without a word.
func TestMovedFindsMarksAnywhere(t *testing.T) {
	for _, filling := range []string{"", "sluice-", "sluice-open", "W-c2x1aW:", strings.Repeat("please, ", 20)} {
		for _, mark := range marks() {
			for cut := range len(mark) + 1 {
				body := []byte(filling + mark[:cut] + filling)
				if got, want := form.Moved(body), plainlyMoved(body); got != want || cut == len(mark) && !got {
					t.Errorf("%q: %v, want %v", body, got, want)
				}
			}
		}
	}
}

func plainlyMoved(body []byte) bool {
	for _, mark := range marks() {
		if bytes.Contains(body, []byte(mark)) {
			return true
		}
	}
	return false
}

// FuzzMoved: lost otherwise is a mark that the quick search steps over.
func FuzzMoved(f *testing.F) {
	f.Add([]byte("a sluice-open sluice-openai:x"))
	f.Add([]byte("c2x1aWc2x1aWNlL"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, want := form.Moved(body), plainlyMoved(body); got != want {
			t.Fatalf("%q: %v, want %v", body, got, want)
		}
	})
}

// BenchmarkMoved is what every conversation pays.
func BenchmarkMoved(b *testing.B) {
	body := []byte(`{"model":"m1","messages":[{"role":"user","content":"` + strings.Repeat("please ", 72) + `"}]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if form.Moved(body) {
			b.Fatal("moved")
		}
	}
}
