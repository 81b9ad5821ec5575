package sluice_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
)

// fill gives every field below v a value of its own; a kind that it does not
// know fails the test, and so asks whoever adds one to think of the form.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000+int64(*n), 123_456_789).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.Repeat("é", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(-*n * 1001))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(*n))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	default:
		t.Fatalf("no test value for %s", v.Type())
	}
}

// fullRecord has no field that is zero.
func fullRecord(t *testing.T) (r sluice.Record) {
	t.Helper()
	fill(t, reflect.ValueOf(&r).Elem(), new(int))
	return r
}

func roundTrip(t *testing.T, r sluice.Record) {
	t.Helper()
	got, err := sluice.DecodeRecord(sluice.AppendRecord(nil, &r))
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("got  %+v\nwant %+v\nerror %v", got, r, err)
	}
}

// Lost otherwise: a field that is added to a record and forgotten in its compact
// form, and with it what the books would know of a charge.
func TestRecordFormKeepsEveryField(t *testing.T) {
	full := fullRecord(t)
	roundTrip(t, sluice.Record{})
	roundTrip(t, full)
	for i := range reflect.TypeFor[sluice.Record]().NumField() {
		var one sluice.Record
		reflect.ValueOf(&one).Elem().Field(i).Set(reflect.ValueOf(full).Field(i))
		roundTrip(t, one)
	}
}

// Lost otherwise: the records in journals that were written before the compact
// form, and the equality of what two versions tell of one request.
func TestRecordFormReadsJSON(t *testing.T) {
	full := fullRecord(t)
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sluice.DecodeRecord(text)
	if err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("got %+v, error %v", got, err)
	}
	if compact := sluice.AppendRecord(nil, &full); compact[0] == '{' {
		t.Error("the compact form begins as JSON does")
	}
}

// Lost otherwise: a damaged or newer record that is taken for a whole one.
func TestRecordFormRefuses(t *testing.T) {
	full := fullRecord(t)
	good := sluice.AppendRecord(nil, &full)
	empty := sluice.AppendRecord(nil, &sluice.Record{})
	changed := func(b []byte, at int, to ...byte) []byte {
		return append(append(bytes.Clone(b[:at]), to...), b[at+1:]...)
	}
	for name, c := range map[string]struct {
		b    []byte
		code sluice.Code
	}{
		"nothing":        {nil, sluice.CodeDiscrepancy},
		"no form":        {changed(good, 0, 0), sluice.CodeDiscrepancy},
		"newer":          {changed(good, 0, 2), sluice.CodeSchemaNewer},
		"cut":            {good[:len(good)-1], sluice.CodeDiscrepancy},
		"more":           {append(bytes.Clone(good), 0), sluice.CodeDiscrepancy},
		"unknown count":  {changed(empty, len(empty)-7, 0x80, 0x40), sluice.CodeDiscrepancy},
		"count of zero":  {changed(empty, len(empty)-7, 1, 0), sluice.CodeDiscrepancy},
		"unknown flag":   {changed(empty, 1, 4), sluice.CodeDiscrepancy},
		"long number":    {changed(empty, len(empty)-3, 0x80, 0), sluice.CodeDiscrepancy},
		"huge number":    {changed(empty, len(empty)-3, bytes.Repeat([]byte{0xff}, 10)...), sluice.CodeDiscrepancy},
		"many plugins":   {changed(empty, len(empty)-1, 0xff, 0xff, 0x7f), sluice.CodeDiscrepancy},
		"too long":       {append([]byte{1}, make([]byte, 64<<10)...), sluice.CodeDiscrepancy},
		"not UTF-8":      {bytes.Replace(good, []byte("é"), []byte{0xc3, 0x28}, 1), sluice.CodeDiscrepancy},
		"broken JSON":    {[]byte(`{"id":`), sluice.CodeDiscrepancy},
		"not JSON":       {[]byte(`{"id":7}`), sluice.CodeDiscrepancy},
		"text of a list": {[]byte(`[]`), sluice.CodeSchemaNewer},
	} {
		if r, err := sluice.DecodeRecord(c.b); sluice.CodeOf(err) != c.code || !reflect.DeepEqual(r, sluice.Record{}) {
			t.Errorf("%s: error %v, record %+v", name, err, r)
		}
	}
	for n := range good {
		if _, err := sluice.DecodeRecord(good[:n]); err == nil {
			t.Errorf("the first %d bytes decode", n)
		}
	}
}

// Lost otherwise: a charge whose record nobody can read, because a name in it
// was not UTF-8.
func TestRecordFormMendsText(t *testing.T) {
	r, err := sluice.DecodeRecord(sluice.AppendRecord(nil, &sluice.Record{Path: "/a\xffb"}))
	if err != nil || r.Path != "/a\uFFFDb" {
		t.Errorf("path %q, error %v", r.Path, err)
	}
}

// Lost otherwise: garbage on the way of every charged request.
func TestRecordFormAllocatesNothing(t *testing.T) {
	r, b := fullRecord(t), make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() { b = sluice.AppendRecord(b[:0], &r) }); n > 0 {
		t.Errorf("%v allocations to write a record", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := sluice.DecodeRecord(b); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("%v allocations to read a record: its text, its attempts and its plugins are three", n)
	}
}

// FuzzDecodeRecord: lost otherwise is a process that a damaged journal ends, or
// two forms of one record.
func FuzzDecodeRecord(f *testing.F) {
	for _, r := range []sluice.Record{
		{},
		{ID: "0190-1", Time: time.Unix(1, 2), Outcome: sluice.OutcomeComplete, Cost: sluice.Money{Amount: -5, Asset: "USD"}, Attempts: []sluice.Attempt{{Target: "p", Status: 200}}},
		{Stream: true, Unpriced: true, KeyID: math.MaxUint64, Plugins: []sluice.PluginTrace{{Plugin: "é", Phase: "request", Micros: math.MinInt64}}},
	} {
		f.Add(sluice.AppendRecord(nil, &r))
	}
	f.Add([]byte(`{"id":"x","time":"2026-01-01T00:00:00Z","attempts":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := sluice.DecodeRecord(b)
		if err != nil {
			if code := sluice.CodeOf(err); code != sluice.CodeDiscrepancy && code != sluice.CodeSchemaNewer {
				t.Fatalf("code %s", code)
			}
			return
		}
		again := sluice.AppendRecord(nil, &r)
		if b[0] != '{' {
			if !bytes.Equal(again, b) {
				t.Fatalf("decoded and encoded again: %x, not %x", again, b)
			}
			return
		}
		if _, err := sluice.DecodeRecord(again); err != nil && len(again) <= 64<<10 {
			t.Fatalf("a record in JSON in its compact form: %v", err)
		}
	})
}

func BenchmarkRecordForm(b *testing.B) {
	r := sluice.Record{
		ID: "01932b1c-0000-7000-8000-000000000001", Time: time.Unix(1_700_000_000, 5), Gateway: "gateway-1", Tenant: "acme", User: "dev", Key: "bench", KeyID: 7, Group: "default",
		Surface: "openai", Operation: "chat", Model: "m1", Provider: "p1", ProviderModel: "m1", Method: "POST", Host: "127.0.0.1:8080", Path: "/v1/chat/completions",
		ClientIP: "127.0.0.1", Status: 200, Outcome: sluice.OutcomeComplete, Usage: sluice.Usage{Input: 80, Output: 90}, UsageSource: sluice.UsageProvider, BytesIn: 600, BytesOut: 700,
		Price: sluice.PriceRef{Version: 2, Multiplier: 1_000_000_000}, Cost: sluice.Money{Amount: 170_000, Asset: "USD"}, Attempts: []sluice.Attempt{{Target: "p1", Status: 200}},
	}
	text := sluice.AppendRecord(nil, &r)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text = sluice.AppendRecord(text[:0], &r)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sluice.DecodeRecord(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
