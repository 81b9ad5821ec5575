package jsonscan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// FuzzAppendText: a text that reads back as another one would be a prompt that
// nobody wrote.
func FuzzAppendText(f *testing.F) {
	f.Add("plain", 1)
	f.Add("a \"quote\", a \\ and a\nline\r\n\ttab\x00\x1f\x7f", 1)
	f.Add("not \xff\xfe UTF-8 \xe4\xb8", 1)
	f.Add("世界 \u2028 <&>", 40)
	f.Fuzz(func(t *testing.T, s string, times int) {
		s = strings.Repeat(s, min(max(times, 0), 100))
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var expected, got string
		if err := json.Unmarshal(want, &expected); err != nil {
			t.Fatal(err)
		}
		text := jsonscan.AppendText([]byte("x"), s)
		if err := json.Unmarshal(text[1:], &got); err != nil || got != expected || text[0] != 'x' {
			t.Errorf("%q was written as %s: %v", s, text, err)
		}
	})
}
