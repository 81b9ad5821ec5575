package sluice_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/sluicegate/sluice"
)

func fieldsOf(pairs ...string) *sluice.Fields {
	var f sluice.Fields
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return &f
}

func dump(f *sluice.Fields) string {
	var b strings.Builder
	for i := range f.Len() {
		b.WriteString(f.At(i).Name + "=" + f.At(i).Value + ";")
	}
	return b.String()
}

// TestFields covers look-up and change of headers: a credential that is deleted
// under one spelling must not travel on under another.
func TestFields(t *testing.T) {
	f := fieldsOf("Authorization", "a", "X-Tag", "1", "AUTHORIZATION", "b", "x-tag", "2")
	if f.Get("authorization") != "a" || f.Count("X-TAG") != 2 {
		t.Errorf("look-up depends on case: %s", dump(f))
	}
	if _, ok := f.Lookup("x-ta"); ok {
		t.Error("a prefix of a name matched")
	}
	f.Set("x-TAG", "3")
	if got := dump(f); got != "Authorization=a;X-Tag=3;AUTHORIZATION=b;" {
		t.Errorf("Set left %s", got)
	}
	f.Del("authorization")
	if got := dump(f); got != "X-Tag=3;" {
		t.Errorf("Del left %s", got)
	}
	f.Set("New", "4")
	f.AppendAll(fieldsOf("Last", "5"))
	if got := dump(f); got != "X-Tag=3;New=4;Last=5;" {
		t.Errorf("Set and AppendAll made %s", got)
	}
	f.Reset()
	if f.Len() != 0 || f.Get("New") != "" {
		t.Errorf("Reset left %s", dump(f))
	}
}

// TestFieldNamesFoldASCIIOnly keeps bytes that differ by the case bit alone, but
// are no letters, from being taken for one another.
func TestFieldNamesFoldASCIIOnly(t *testing.T) {
	for _, pair := range [][2]string{{"a@b", "a`b"}, {"a[b", "a{b"}, {"k", "\u212a"}, {"a^", "a~"}, {"0", "\x10"}} {
		if fieldsOf(pair[0], "v").Count(pair[1]) != 0 {
			t.Errorf("%q matched %q", pair[0], pair[1])
		}
	}
}

// TestStopper ends a call exactly once, whether the client goes away before or
// after the call is bound; otherwise an upstream runs on unpaid.
func TestStopper(t *testing.T) {
	var call sluice.Call
	stops := 0
	call.Stopper().Bind(func() { stops++ })
	call.Stopper().Stop()
	call.Stopper().Stop()
	if stops != 1 || !call.Stopper().Stopped() {
		t.Errorf("stopped %d times", stops)
	}

	var late sluice.Call
	late.Stopper().Stop()
	late.Stopper().Bind(func() { stops++ })
	if stops != 2 {
		t.Error("a call bound after Stop was not stopped")
	}

	var over sluice.Call
	over.Stopper().Bind(func() { stops++ })
	over.Stopper().Bind(nil)
	over.Stopper().Stop()
	if stops != 2 {
		t.Error("a finished call was stopped")
	}
}

// TestStopperRaces runs Bind against Stop: losing either would leave an upstream
// running, or stop the next user of a pooled connection.
func TestStopperRaces(t *testing.T) {
	for range 200 {
		var s sluice.Stopper
		stopped := make(chan struct{}, 2)
		var wg sync.WaitGroup
		wg.Go(func() { s.Bind(func() { stopped <- struct{}{} }) })
		wg.Go(s.Stop)
		wg.Wait()
		if len(stopped) != 1 {
			t.Fatalf("stop ran %d times", len(stopped))
		}
	}
}
