package sluice_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// TestNewToken pins the shape that secret scanners and the gateway's look-up
// rely on, and that no two keys are alike.
func TestNewToken(t *testing.T) {
	shape := regexp.MustCompile(`^slc_live_[0-9A-Za-z]{10}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$`)
	seen := map[string]bool{}
	for range 1000 {
		token, prefix := sluice.NewToken("live")
		if !shape.MatchString(token) || !strings.HasPrefix(token, prefix+"_") || len(prefix) != len("slc_live_")+10 {
			t.Fatalf("token of %d bytes with prefix %q has the wrong shape", len(token), prefix)
		}
		if !sluice.WellFormedToken(token) {
			t.Fatal("a fresh token fails its own checksum")
		}
		if seen[token] || seen[prefix] {
			t.Fatal("a token came twice")
		}
		seen[token], seen[prefix] = true, true
	}
}

// TestWellFormedToken finds a mistyped key before any look-up.
func TestWellFormedToken(t *testing.T) {
	token, _ := sluice.NewToken("test")
	for i := range token {
		other := byte('A')
		if token[i] == other {
			other = 'B'
		}
		if sluice.WellFormedToken(token[:i] + string(other) + token[i+1:]) {
			t.Errorf("a change at byte %d goes unnoticed", i)
		}
	}
	for _, bad := range []string{"", "slc_", "sk-abc", token[:len(token)-1], token + "x", strings.ToUpper(token)} {
		if sluice.WellFormedToken(bad) {
			t.Errorf("%q passes as a token", bad)
		}
	}
}

// TestHashToken pins the published form of a key (feature E2): other people's
// balancers look keys up by this hash.
func TestHashToken(t *testing.T) {
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := sluice.HashToken("abc"); got != want {
		t.Errorf("got %s", got)
	}
}

// TestAllowsModel is the permission check of every call: a pattern that matches
// too much lets a cheap key call an expensive model.
func TestAllowsModel(t *testing.T) {
	for _, c := range []struct {
		models string
		model  string
		want   bool
	}{
		{"", "anything", true},
		{"gpt-4o", "gpt-4o", true},
		{"gpt-4o", "gpt-4o-mini", false},
		{"gpt-4o*", "gpt-4o-mini", true},
		{"gpt-4o*", "gpt-4", false},
		{"a,b*", "bcd", true},
		{"a,b*", "ab", false},
		{"*", "x", true},
		{"GPT-4o", "gpt-4o", false},
	} {
		k := sluice.Key{}
		if c.models != "" {
			k.Models = strings.Split(c.models, ",")
		}
		if got := k.AllowsModel(c.model); got != c.want {
			t.Errorf("models %q allow %q: %v", c.models, c.model, got)
		}
	}
}

// TestFindToken: a key that is not found in a URL ends up in logs.
func TestFindToken(t *testing.T) {
	token, prefix := sluice.NewToken("live")
	for _, c := range []struct {
		text, masked string
	}{
		{token, prefix + "_***"},
		{"a=" + token + "&b=" + token, "a=" + prefix + "_***&b=" + prefix + "_***"},
		{"slc_ slc_live_x /" + token + "/x", "slc_ slc_live_x /" + prefix + "_***/x"},
		{"slc_live_not-a-key", "slc_live_not-a-key"},
		{token + "x", token + "x"},
		{"", ""},
	} {
		_, _, found := sluice.FindToken(c.text)
		if got := sluice.MaskTokens(c.text); got != c.masked || found != (c.text != c.masked) {
			t.Errorf("%q becomes %q, want %q", c.text, got, c.masked)
		}
	}
}
