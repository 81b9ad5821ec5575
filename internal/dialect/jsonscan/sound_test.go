package jsonscan_test

import (
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// agree checks that walking an object within a document that was validated finds
// what walking the object by itself does, all the way down.
func agree(t *testing.T, doc []byte, v jsonscan.Value) {
	t.Helper()
	switch v.Kind {
	case jsonscan.Object:
		alone, within := jsonscan.Document(v.In(doc)), v.Members(doc)
		for alone.Next() {
			if !within.Next() || string(within.Key()) != string(alone.Key()) || string(within.Value().In(doc)) != string(alone.Value().In(v.In(doc))) || within.Value().Kind != alone.Value().Kind {
				t.Fatalf("%s: got %q %+v, want %q %+v", doc, within.Key(), within.Value(), alone.Key(), alone.Value())
			}
			agree(t, doc, within.Value())
		}
		if alone.Err() == nil && (within.Next() || within.Err() != nil) {
			t.Fatalf("%s: more than there is, or %v", doc, within.Err())
		}
	case jsonscan.Array:
		for e := v.Elements(doc); e.Next(); {
			if whole := jsonscan.At(doc, e.Value().Start); whole != e.Value() {
				t.Fatalf("%s: got %+v, want %+v", doc, e.Value(), whole)
			}
			agree(t, doc, e.Value())
		}
	}
}

// What is found within a document that was validated is not validated again: an
// end that is found elsewhere than before would hand out another value than the
// one that was checked.
func FuzzSound(f *testing.F) {
	for _, doc := range []string{
		`{}`, `[]`, ` { "a" : [ ] , "b":{"c":[1,-2.5e+3,true,false,null,"x"]}}`, `{"\"":"\\","\\\"":"\\\\\"}{][","a\\":{"}":"{"}}`,
		`[[[["]"]]],"\\\\",{"a":"\""},1e5,0]`, "[1\n,\t2 ]\r", `{"escaped":"é\u0022\ud83d\ude00"}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if v := jsonscan.At(doc, 0); v.Kind != jsonscan.None {
			agree(t, doc, v)
		}
	})
}
