package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// walk returns the members of doc as encoding/json would, last one winning.
func walk(doc []byte) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	m := jsonscan.Document(doc)
	for m.Next() {
		out[string([]rune(string(m.Key())))] = m.Value().In(doc) // invalid UTF-8 as encoding/json reads it
	}
	if err := m.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// A wrong span would splice a body in the wrong place and send a client's
// request to a model it did not name.
func TestDocumentFindsMembers(t *testing.T) {
	doc := []byte(" {\"model\" : \"gpt\\u002d4\", \"n\":-12,\"deep\":{\"a\":[1,[2,{}],\"]}\"]},\n\t\"t\":true,\"f\":false,\"z\":null } \r\n")
	want := map[string]string{"model": `"gpt\u002d4"`, "n": "-12", "deep": `{"a":[1,[2,{}],"]}"]}`, "t": "true", "f": "false", "z": "null"}
	got, err := walk(doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("got %d members, want %d", len(got), len(want))
	}
	for name, value := range want {
		if string(got[name]) != value {
			t.Errorf("%s = %s, want %s", name, got[name], value)
		}
	}
}

// A client that sends broken JSON has to learn where it breaks.
func TestErrorsNameThePosition(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{``, "byte 0: unexpected end"},
		{`  `, "byte 2: unexpected end"},
		{`[]`, "byte 0: the document must be an object"},
		{`{"a":1`, "byte 6: unexpected end"},
		{`{"a":1}}`, "byte 7: unexpected text after the document"},
		{`{"a":1,}`, "byte 7: a member name was expected"},
		{`{"a" 1}`, `byte 5: ":" was expected`},
		{`{"a":1 "b":2}`, `byte 7: "," or "}" was expected`},
		{`{"a":[1 2]}`, `byte 8: "," or "]" was expected`},
		{`{"a":tru}`, "byte 8: a value was expected"},
		{`{"a":01}`, `byte 6: "," or "}" was expected`},
		{`{"a":-}`, "byte 6: invalid number"},
		{`{"a":1.}`, "byte 7: invalid number"},
		{`{"a":1e+}`, "byte 8: invalid number"},
		{"{\"a\":\"x\ny\"}", "byte 7: control character in a string"},
		{`{"a":"\x0000"}`, "byte 6: invalid escape in a string"},
		{`{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, ""},
		{`{"a":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, "byte 69: nested deeper than 64 levels"},
	} {
		_, err := walk([]byte(c.doc))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %s", c.doc, err, c.want)
		}
	}
}

// Numbers that only look integral must not pass for caps and counts.
func TestIntIsStrict(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"-7", -7, true}, {"9223372036854775807", 9223372036854775807, true},
		{"9223372036854775808", 0, false}, {"1.0", 0, false}, {"1e3", 0, false}, {`"1"`, 0, false}, {"null", 0, false},
	} {
		doc := []byte(`{"n":` + c.text + `}`)
		m := jsonscan.Document(doc)
		if !m.Next() {
			t.Fatal(m.Err())
		}
		if got, ok := jsonscan.Int(doc, m.Value()); got != c.want || ok != c.ok {
			t.Errorf("%s: got %d %v, want %d %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

// A stream that judges otherwise when it is cut elsewhere would turn good
// answers into errors by the network's whim.
func TestStreamIsCutAnywhere(t *testing.T) {
	doc := []byte("{\"a\":[1,-2.5e+7,true,{\"usage\":0}], \"usage\" : {\"n\": [ 1 , \"x\\\"\\u00e9\" ]} ,\"error\":null}\n")
	for cut := range len(doc) + 1 {
		s := jsonscan.NewStream("usage", "error")
		for _, piece := range [][]byte{doc[:cut], doc[cut:]} {
			if err := s.Write(piece); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		if err := s.End(); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got := string(s.Captured("usage")); got != "{\"n\": [ 1 , \"x\\\"\\u00e9\" ]}" {
			t.Fatalf("cut at %d: usage is %s", cut, got)
		}
		if got := string(s.Captured("error")); got != "null" {
			t.Fatalf("cut at %d: error is %s", cut, got)
		}
	}
}

// Ten gigabytes within one captured member must not stay in memory.
func TestStreamCaptureIsBounded(t *testing.T) {
	s := jsonscan.NewStream("usage")
	_ = s.Write([]byte(`{"usage":"`))
	piece := bytes.Repeat([]byte("x"), 64<<10)
	if allocs := testing.AllocsPerRun(100, func() { _ = s.Write(piece) }); allocs > 2 {
		t.Errorf("%v allocations for each piece", allocs)
	}
	if err := s.Write([]byte(`"}`)); err != nil || !s.Complete() {
		t.Fatalf("the document did not complete: %v", err)
	}
	if s.Captured("usage") != nil {
		t.Error("an oversized member was kept")
	}
}

// seeds are documents near every rule of the grammar.
var seeds = []string{
	`{"model":"a","messages":[{"role":"user","content":"hi"}],"max_tokens":12}`,
	`{"a":1.5e-7,"b":[true,false,null],"c":{"d":"\u00e9\n\\\""}}`, `{}`, `{"a":"` + "\xff\xfe" + `"}`, `{"a":"\ud800"}`,
	`{"a":01}`, `{"a":1,}`, `{"a":[1,]}`, "{\"a\":\"\x01\"}", `{"\u0061":1,"a":2}`, `{"a":-0.0}`, `{"a":"12345678\"12345678\u1"}`, `[1]`, `{"a":1} x`,
}

// The scanner and encoding/json must agree on every document, or a gateway and
// the target behind it would read different requests from the same bytes.
func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if depth(doc) > jsonscan.MaxDepth {
			return
		}
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(doc, &want)
		if wantErr == nil && want == nil {
			wantErr = fmt.Errorf("null is not an object")
		}
		got, err := walk(doc)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("scan says %v, encoding/json says %v", err, wantErr)
		}
		s := jsonscan.NewStream("model", "a")
		if werr := errorsOf(s.Write(doc), s); (werr == nil) != (wantErr == nil) {
			t.Fatalf("stream says %v, encoding/json says %v", werr, wantErr)
		}
		if err != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("got %d members, want %d", len(got), len(want))
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%q is %s, want %s", name, got[name], value)
			}
		}
	})
}

func errorsOf(err error, s *jsonscan.Stream) error {
	if err != nil {
		return err
	}
	return s.End()
}

// depth is the deepest nesting of brackets outside strings, roughly: enough to
// skip what the scanner refuses on purpose.
func depth(doc []byte) int {
	deepest, n := 0, 0
	for _, c := range doc {
		switch c {
		case '{', '[':
			n++
			deepest = max(deepest, n)
		case '}', ']':
			n--
		}
	}
	return deepest
}

func BenchmarkDocument(b *testing.B) {
	for _, size := range []int{600, 200 << 10} {
		doc := []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"` + strings.Repeat("words and ", size/10) + `"}],"stream":true,"max_tokens":100}`)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for range b.N {
				m := jsonscan.Document(doc)
				for m.Next() {
				}
			}
		})
	}
}
