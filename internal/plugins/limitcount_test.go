package plugins_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

// bucket runs limit-count and returns the bucket it claims from.
func bucket(t *testing.T, config string, x *plugin.Exchange) string {
	t.Helper()
	got := plugintest.Run(t, spec(t, "limit-count"), config, x, plugintest.Answer{})
	if got.Err != nil || len(got.Claims) != 1 {
		t.Fatalf("%s: %v, claims %+v", config, got.Err, got.Claims)
	}
	return got.Claims[0].Bucket
}

// Losing this means that the default limit is not 100 per minute and address.
func TestLimitCountDefault(t *testing.T) {
	got := plugintest.Run(t, spec(t, "limit-count"), `{}`, plugintest.Request("GET", "/"), plugintest.Answer{})
	want := sluice.Claim{Kind: sluice.ClaimRequests, Bucket: "limit-count:routes/1:ip:203.0.113.9", Limit: 100, Window: time.Minute, Amount: 1}
	if len(got.Claims) != 1 || got.Claims[0] != want {
		t.Errorf("claims %+v, want %+v", got.Claims, want)
	}
}

// Losing this means that clients share a limit they should not share, or escape
// theirs by choosing a value.
func TestLimitCountBuckets(t *testing.T) {
	at := func(ip, target string) *plugin.Exchange {
		x := plugintest.Request("GET", target)
		x.ClientIP = netip.MustParseAddr(ip)
		return x
	}
	keyed := at("192.0.2.1", "/")
	keyed.Consumer.Key = plugintest.Consumer(7, "key")
	vars := `{"by":"vars","vars":["arg_a","arg_b"]}`
	same := [][2]string{
		{bucket(t, `{}`, at("2001:db8::1", "/")), bucket(t, `{}`, at("2001:db8::ffff:2", "/"))},
		{bucket(t, `{}`, at("::ffff:192.0.2.1", "/")), bucket(t, `{}`, at("192.0.2.1", "/"))},
		{bucket(t, `{"by":"key"}`, at("192.0.2.1", "/")), bucket(t, `{}`, at("192.0.2.1", "/"))},
		{bucket(t, vars, at("192.0.2.1", "/")), bucket(t, `{}`, at("192.0.2.1", "/"))},
		{bucket(t, vars, at("192.0.2.1", "/?a=1&b=2")), bucket(t, vars, at("192.0.2.2", "/?b=2&a=1"))},
		{bucket(t, `{"by":"key"}`, keyed), "limit-count:routes/1:key:7"},
	}
	for i, pair := range same {
		if pair[0] != pair[1] {
			t.Errorf("%d: %s and %s should be one bucket", i, pair[0], pair[1])
		}
	}
	different := [][2]string{
		{bucket(t, `{}`, at("2001:db8::1", "/")), bucket(t, `{}`, at("2001:db8:0:1::1", "/"))},
		{bucket(t, `{}`, at("192.0.2.1", "/")), bucket(t, `{}`, at("192.0.2.2", "/"))},
		{bucket(t, vars, at("192.0.2.1", "/?a=x&b=yz")), bucket(t, vars, at("192.0.2.1", "/?a=xy&b=z"))},
		{bucket(t, vars, at("192.0.2.1", "/?a=1=;1=2")), bucket(t, vars, at("192.0.2.1", "/?a=1&b=2"))},
		{bucket(t, `{"by":"vars","vars":["arg_a"]}`, at("192.0.2.1", "/?a=192.0.2.1")), bucket(t, `{}`, at("192.0.2.1", "/"))},
		{bucket(t, vars, at("192.0.2.1", "/?a="+strings.Repeat("x", 999)+"1")), bucket(t, vars, at("192.0.2.1", "/?a="+strings.Repeat("x", 999)+"2"))},
	}
	for i, pair := range different {
		if pair[0] == pair[1] {
			t.Errorf("%d: both are %s", i, pair[0])
		}
		if len(pair[0]) > 120 {
			t.Errorf("%d: the client chose a bucket of %d bytes", i, len(pair[0]))
		}
	}
}

// Losing this means that operators cannot choose what limited clients see, or
// that the choice hides other limits.
func TestLimitCountRefusal(t *testing.T) {
	config := `{"count":5,"rejected_code":503,"rejected_msg":"Slow down, please."}`
	for bucket, want := range map[string]struct {
		status  int
		message string
	}{
		"limit-count:routes/1:ip:203.0.113.9": {503, "Slow down, please."},
		"key:7":                               {429, "limit"},
	} {
		x := plugintest.Request("GET", "/")
		refusal := sluice.Errorf(sluice.CodeRequestRate, "limit").With("bucket", bucket)
		got := plugintest.Run(t, spec(t, "limit-count"), config, x, plugintest.Answer{Refuse: refusal})
		if got.Status != want.status || sluice.AsError(got.Err).Message != want.message || got.Reached {
			t.Errorf("%s: status %d, %v", bucket, got.Status, got.Err)
		}
	}
	got := plugintest.Run(t, spec(t, "limit-count"), config, plugintest.Request("GET", "/"), plugintest.Answer{Status: 429})
	if got.Status != 429 {
		t.Errorf("a target's own 429 became %d", got.Status)
	}
}
