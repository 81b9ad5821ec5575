package plugins_test

import (
	"net/netip"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

// Losing this means that a network that was shut out gets in, for instance in
// the other notation of its address.
func TestIPRestriction(t *testing.T) {
	both := `{"allow":["10.0.0.0/8","2001:db8::/32"],"deny":["10.66.0.0/16","2001:db8:bad::/48"]}`
	for _, c := range []struct {
		config, ip string
		code       sluice.Code
	}{
		{both, "10.1.2.3", ""},
		{both, "::ffff:10.1.2.3", ""},
		{both, "10.66.2.3", sluice.CodeForbidden},
		{both, "::ffff:10.66.2.3", sluice.CodeForbidden},
		{both, "11.0.0.1", sluice.CodeForbidden},
		{both, "2001:db8::1", ""},
		{both, "2001:db8:bad::1", sluice.CodeForbidden},
		{`{"deny":["203.0.113.9"]}`, "203.0.113.9", sluice.CodeForbidden},
		{`{"deny":["203.0.113.9"]}`, "203.0.113.10", ""},
		{`{"deny":["::ffff:203.0.113.0/120"]}`, "203.0.113.9", sluice.CodeForbidden},
		{`{"allow":["2001:db8::7/128"]}`, "2001:db8::7", ""},
		{`{"allow":["fe80::/10"]}`, "fe80::1%eth0", ""},
	} {
		x := plugintest.Request("GET", "/")
		x.ClientIP = netip.MustParseAddr(c.ip)
		if got := plugintest.Run(t, spec(t, "ip-restriction"), c.config, x, plugintest.Answer{}); sluice.CodeOf(got.Err) != c.code {
			t.Errorf("%s from %s: %v", c.config, c.ip, got.Err)
		}
	}
	x := plugintest.Request("GET", "/")
	x.ClientIP = netip.Addr{}
	got := plugintest.Run(t, spec(t, "ip-restriction"), `{"deny":["::1"],"message":"Sorry."}`, x, plugintest.Answer{})
	if sluice.CodeOf(got.Err) != sluice.CodeForbidden || sluice.AsError(got.Err).Message != "Sorry." {
		t.Errorf("an unknown address: %v", got.Err)
	}
}

const listed = `{"allow_origins":["https://app.example.com"],"allow_origin_regex":["https://[a-z]+\\.example\\.org"],"allow_credentials":true,"expose_headers":["X-Request-Id"],"allow_headers":["X-One","X-Two"],"allow_methods":["GET","PUT"],"max_age_seconds":60}`

// Losing this means that any page may act as a signed-in user, or that pages
// which may call cannot.
func TestCORSOrigins(t *testing.T) {
	for _, c := range []struct{ config, origin, allowed, vary string }{
		{`{}`, "https://any.test", "*", ""},
		{`{"allow_origins":["*"]}`, "null", "*", ""},
		{listed, "https://app.example.com", "https://app.example.com", "Origin"},
		{listed, "https://a.example.org", "https://a.example.org", "Origin"},
		{listed, "https://a.example.org.evil.test", "", "Origin"},
		{listed, "https://evil.test/https://a.example.org", "", "Origin"},
		{listed, "http://app.example.com", "", "Origin"},
		{listed, "null", "", "Origin"},
		{listed, "", "", "Origin"},
		{`{"allow_origin_regex":["https://a|b"]}`, "https://a.evil.test", "", "Origin"},
	} {
		x := plugintest.Request("GET", "/")
		if c.origin != "" {
			x = plugintest.Request("GET", "/", "Origin", c.origin)
		}
		answer := plugintest.Answer{Fields: []string{"Access-Control-Allow-Origin", "https://from.service", "Access-Control-Allow-Credentials", "true"}}
		got := plugintest.Run(t, spec(t, "cors"), c.config, x, answer)
		credentials := c.config == listed && c.allowed != ""
		if got.Fields.Get("Access-Control-Allow-Origin") != c.allowed || got.Fields.Count("Access-Control-Allow-Origin") > 1 ||
			got.Fields.Get("Vary") != c.vary || (got.Fields.Get("Access-Control-Allow-Credentials") == "true") != credentials || !got.Reached {
			t.Errorf("%s from %q: %+v", c.config, c.origin, got.Fields)
		}
	}
	x := plugintest.Request("GET", "/", "Origin", "https://app.example.com")
	got := plugintest.Run(t, spec(t, "cors"), listed, x, plugintest.Answer{Fields: []string{"Vary", "Accept-Encoding, origin"}})
	if got.Fields.Count("Vary") != 1 || got.Fields.Get("Access-Control-Expose-Headers") != "X-Request-Id" {
		t.Errorf("fields %+v", got.Fields)
	}
}

// Losing this means that browsers cannot make anything but simple requests, or
// that a preflight is asked for a key it never has.
func TestCORSPreflight(t *testing.T) {
	ask := func(config, origin string) plugintest.Result {
		x := plugintest.Request("OPTIONS", "/", "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization, x-one")
		return plugintest.Run(t, spec(t, "cors"), config, x, plugintest.Answer{})
	}
	want := func(name string, got plugintest.Result, fields map[string]string) {
		t.Helper()
		if got.Err != nil || got.Reached || got.Status != 204 || got.Body != "" {
			t.Errorf("%s: %d, reached %v, %v", name, got.Status, got.Reached, got.Err)
		}
		for field, value := range fields {
			if got.Fields.Get(field) != value {
				t.Errorf("%s: %s is %q, want %q", name, field, got.Fields.Get(field), value)
			}
		}
	}
	want("any", ask(`{}`, "https://any.test"), map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization, x-one", "Access-Control-Max-Age": "600",
		"Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"})
	want("listed", ask(listed, "https://app.example.com"), map[string]string{
		"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Headers": "X-One, X-Two", "Access-Control-Max-Age": "60",
		"Access-Control-Allow-Methods": "GET, PUT", "Access-Control-Allow-Credentials": "true"})
	want("stranger", ask(listed, "https://evil.test"), map[string]string{
		"Access-Control-Allow-Origin": "", "Access-Control-Allow-Headers": "", "Access-Control-Allow-Methods": ""})
	plain := plugintest.Run(t, spec(t, "cors"), `{}`, plugintest.Request("OPTIONS", "/", "Origin", "https://any.test"), plugintest.Answer{})
	if !plain.Reached {
		t.Error("an OPTIONS that is no preflight did not reach the service")
	}
}

// Losing this means that requests cannot be followed through services, or that
// a client writes into logs what it likes.
func TestRequestID(t *testing.T) {
	own := plugintest.Request("GET", "/").ID
	for _, c := range []struct {
		config, incoming, sent, returned string
	}{
		{`{}`, "", own, own},
		{`{}`, "client-1", "client-1", "client-1"},
		{`{}`, "bad id", own, own},
		{`{}`, "bad\nid", own, own},
		{`{"accept_incoming":false}`, "client-1", own, own},
		{`{"include_in_response":false}`, "client-1", "client-1", ""},
	} {
		x := plugintest.Request("GET", "/")
		if c.incoming != "" {
			x.Request.Fields.Add("x-request-id", c.incoming)
		}
		got := plugintest.Run(t, spec(t, "request-id"), c.config, x, plugintest.Answer{})
		if x.Request.Fields.Get("X-Request-Id") != c.sent || x.Request.Fields.Count("X-Request-Id") != 1 || got.Fields.Get("X-Request-Id") != c.returned {
			t.Errorf("%s with %q: sent %q, returned %q", c.config, c.incoming, x.Request.Fields.Get("X-Request-Id"), got.Fields.Get("X-Request-Id"))
		}
		if x.ID != own {
			t.Errorf("a client chose the record's id: %s", x.ID)
		}
	}
	x := plugintest.Request("GET", "/", "X-Request-Id", "one", "X-Request-Id", "two")
	if plugintest.Run(t, spec(t, "request-id"), `{}`, x, plugintest.Answer{}); x.Request.Fields.Get("X-Request-Id") != own {
		t.Error("one of two ids was chosen")
	}
}
