package price_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/price"
)

// TestFilesRoundTrip would let an export that is imported elsewhere charge
// something else.
func TestFilesRoundTrip(t *testing.T) {
	free := sluice.Price{Version: 2, Model: "meta/llama:70b", Tenant: "acme", Asset: "EUR", From: epoch, Free: true}
	prices := []sluice.Price{simple(), free}
	for _, format := range []sluice.PriceFormat{sluice.PriceJSON, sluice.PriceCSV} {
		text, err := price.Write(format, prices)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := price.Read(format, text)
		if err != nil || len(rows) != 2 {
			t.Fatalf("%s: %v in\n%s", format, err, text)
		}
		for i, row := range rows {
			row.Price.Version = prices[i].Version
			if !reflect.DeepEqual(row.Price, prices[i]) {
				t.Errorf("%s: %+v became %+v", format, prices[i], row.Price)
			}
		}
	}
}

// TestBadRowsAreNamed tells people which line to mend.
func TestBadRowsAreNamed(t *testing.T) {
	const header = "model,asset,input_per_million,from,free\n"
	for text, want := range map[string]string{
		"":                                     "line 1",
		"model,colour\n":                       `line 1: column "colour"`,
		"model,model\n":                        "line 1",
		header:                                 "no price",
		header + "a,USD,1\n":                   "line 2: wrong number of fields",
		header + "a,USD,1,,\nb,USD,x,,\n":      "line 3",
		header + "a,USD,1.0000000001,,\n":      "line 2",
		header + "a,USD,99999999999,,\n":       "line 2",
		header + "a,USD,1,yesterday,\n":        "line 2: expected a time",
		header + "a,USD,1,,maybe\n":            "line 2: free is",
		header + "\"a\nb\",USD,1,,\na,\"b\n\"": "line",
	} {
		if _, err := price.Read(sluice.PriceCSV, []byte(text)); sluice.CodeOf(err) != sluice.CodeInvalidRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		``:                                     "expected a list",
		`{"prices":[]}`:                        "expected a list",
		`[]`:                                   "no price",
		"[{\"model\":\"a\"},\n{\"colour\":1}]": "line 2",
		"[\n\n{\"model\":\"a\",\"rates\":{\"light\":1}}]": "line 3",
		"{\"items\":[{\"model\":\"a\"}\n":                 "line",
		"[\n{\"model\":\"a\",\"rates\":{\"input\":1e9}}]": "line 2",
	} {
		if _, err := price.Read(sluice.PriceJSON, []byte(text)); sluice.CodeOf(err) != sluice.CodeInvalidRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzRead holds the readers of files to errors instead of panics.
func FuzzRead(f *testing.F) {
	for _, p := range []sluice.PriceFormat{sluice.PriceJSON, sluice.PriceCSV} {
		text, _ := price.Write(p, []sluice.Price{simple()})
		f.Add(string(p), text)
	}
	f.Add("json", []byte(`[{"rates":{"input":-1}},`))
	f.Fuzz(func(t *testing.T, format string, text []byte) {
		rows, err := price.Read(sluice.PriceFormat(format), text)
		if err == nil && (len(rows) == 0 || len(rows) > price.MaxRows) || err != nil && sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}
