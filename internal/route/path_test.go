package route_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/route"
)

// Without one canonical path a client reaches a protected route's target through
// a spelling that another route matches (T-CVE 13).
func TestCanonicalPath(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"/", "/"},
		{"/a/b", "/a/b"},
		{"/a/b/", "/a/b/"},
		{"//a///b", "/a/b"},
		{"/a/./b", "/a/b"},
		{"/a/.", "/a/"},
		{"/a/../b", "/b"},
		{"/a/b/..", "/a/"},
		{"/a/%2e%2E/b", "/b"},
		{"/a/%2e/b", "/a/b"},
		{"/%61dmin", "/admin"},
		{"/%7euser", "/~user"},
		{"/users/%40me", "/users/@me"},
		{"/x%3Agenerate", "/x:generate"},
		{"/a%2fb", "/a%2Fb"},
		{"/a%252fb", "/a%252fb"},
		{"/a%3bb", "/a%3Bb"},
		{"/a;v=1/b", "/a;v=1/b"},
		{"/caf%c3%a9", "/caf%C3%A9"},
		{"/café", "/caf%C3%A9"},
		{"/a b", "/a%20b"},
		{"/.well-known/x", "/.well-known/x"},
		{"/a/..b", "/a/..b"},
		{"/a/...", "/a/..."},
		{"", "!"},
		{"a", "!"},
		{"*", "!"},
		{"http://h/a", "!"},
		{"/..", "!"},
		{"/a/../../b", "!"},
		{"/a/%2e%2e/%2e%2e/b", "!"},
		{"/a/..;/b", "!"},
		{"/a/..;x=1/b", "!"},
		{"/a/.;/b", "!"},
		{"/a/..%3b/b", "!"},
		{"/a/..%2fb", "!"},
		{"/a/b%2f..%2fc", "!"},
		{"/a%2f.%2fb", "!"},
		{"/a\\b", "!"},
		{"/a%5cb", "!"},
		{"/a%00b", "!"},
		{"/a%0d%0ab", "!"},
		{"/a\x01b", "!"},
		{"/a%7f", "!"},
		{"/a#b", "!"},
		{"/a?b", "!"},
		{"/a%", "!"},
		{"/a%2", "!"},
		{"/a%zz", "!"},
		{"/a%c0%af", "!"},
		{"/a%ff", "!"},
	} {
		got, err := route.CanonicalPath(c.raw)
		switch {
		case c.want == "!":
			if sluice.CodeOf(err) != sluice.CodeInvalidRequest {
				t.Errorf("%q: got %q, %v; want a refusal", c.raw, got, err)
			}
		case got != c.want || err != nil:
			t.Errorf("%q: got %q, %v; want %q", c.raw, got, err, c.want)
		}
	}
}

// A host that two components read differently selects another route's rules.
func TestCanonicalHost(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"Example.COM", "example.com"},
		{"example.com.", "example.com"},
		{"example.com.:8080", "example.com:8080"},
		{"EXAMPLE.com:80", "example.com:80"},
		{"[::1]:8080", "[::1]:8080"},
		{"127.0.0.1", "127.0.0.1"},
		{"", "!"}, {":80", "!"}, {"a:b", "!"}, {"a:123456", "!"}, {"a b", "!"}, {"a/b", "!"}, {"a@b", "!"},
		{"::1", "!"}, {"[::1", "!"}, {"[a]", "!"}, {"a,b", "!"}, {".", "!"}, {strings.Repeat("a", 256), "!"},
	} {
		got, err := route.CanonicalHost(c.raw)
		switch {
		case c.want == "!":
			if sluice.CodeOf(err) != sluice.CodeInvalidRequest {
				t.Errorf("%q: got %q, %v; want a refusal", c.raw, got, err)
			}
		case got != c.want || err != nil:
			t.Errorf("%q: got %q, %v; want %q", c.raw, got, err, c.want)
		}
	}
}

// A canonical path that changes when it is canonicalised again could be matched
// in one form and forwarded in another.
func FuzzCanonicalPath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "//x", "/%2e%2e/", "/a%2fb", "/..;/", "/café", "/a%25b", "/%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := route.CanonicalPath(raw)
		if err != nil {
			return
		}
		twice, err := route.CanonicalPath(once)
		if err != nil || twice != once {
			t.Fatalf("%q became %q, then %q, %v", raw, once, twice, err)
		}
		for _, bad := range []string{"//", "/../", "/./", "\\", "\x00", "?", "#", " "} {
			if strings.Contains(once, bad) {
				t.Fatalf("%q became %q, which holds %q", raw, once, bad)
			}
		}
		if strings.HasSuffix(once, "/..") || strings.HasSuffix(once, "/.") || once[0] != '/' {
			t.Fatalf("%q became %q", raw, once)
		}
	})
}
