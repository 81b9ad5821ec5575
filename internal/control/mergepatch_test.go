package control_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// Lost if it fails: PATCH means something else here than elsewhere (the cases
// are RFC 7396, appendix A).
func TestMergePatch(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := control.MergePatch(parse(t, c[0]), parse(t, c[1]), 0)
		must(t, err)
		if !reflect.DeepEqual(got, parse(t, c[2])) {
			t.Errorf("%s patched by %s gave %v, want %s", c[0], c[1], got, c[2])
		}
	}
}

func parse(t *testing.T, text string) (v any) {
	t.Helper()
	must(t, json.Unmarshal([]byte(text), &v))
	return v
}

// FuzzPatched: lost if it fails, a request that crashes control or changes an
// object that it should only have refused.
func FuzzPatched(f *testing.F) {
	for _, seed := range []string{`{}`, `{"weight":2}`, `{"api_key":null}`, `{"settings":{"a":{"b":null}}}`, `{"weight":1e99}`, `[`, `{"timeouts":{"idle_ms":"x"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		before := &sluice.Provider{Type: "openai", Weight: 1, Models: []string{"a"}, ModelMap: map[string]string{"a": "b"}}
		before.Name = "p"
		want, _ := json.Marshal(before)
		after, _, err := control.Patched(before, patch)
		if err == nil && after == nil {
			t.Error("neither a result nor an error")
		}
		if code := sluice.CodeOf(err); err != nil && code != sluice.CodeInvalidRequest && code != sluice.CodeTooLarge {
			t.Errorf("%s: %v", code, err)
		}
		if got, _ := json.Marshal(before); string(got) != string(want) {
			t.Errorf("the original became %s", got)
		}
	})
}

// FuzzPHC: lost if it fails, a damaged password column that crashes sign-in or
// makes it take all memory.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		if err := control.CheckPHC(s); err != nil && sluice.CodeOf(err) != sluice.CodeDatabase {
			t.Error(err)
		}
	})
}

// Lost if it fails: secrets inside plugin configurations reach the audit log.
func TestMaskReachesEveryDepth(t *testing.T) {
	got := control.MaskValue("plugins", parse(t, `{"jwt":{"secret":"s","list":[{"Client_Secret":"t","n":1}],"has_api_key":true},"x":{"authorization":{"a":1}}}`))
	want := parse(t, `{"jwt":{"secret":"***","list":[{"Client_Secret":"***","n":1}],"has_api_key":true},"x":{"authorization":"***"}}`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("masked as %v", got)
	}
}
