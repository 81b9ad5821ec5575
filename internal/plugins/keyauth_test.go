package plugins_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

// withKeys gives the exchange one key, whose token is "good".
func withKeys(x *plugin.Exchange) *plugin.Exchange {
	x.Keys = plugintest.Keys{"good": plugintest.Consumer(7, "key")}
	return x
}

// withToken gives the exchange one key with a token as Sluice mints it.
func withToken(x *plugin.Exchange, token string) *plugin.Exchange {
	x.Keys = plugintest.Keys{"good": plugintest.Consumer(7, "key"), token: plugintest.Consumer(7, "key")}
	return x
}

// Losing this means that a stranger gets in, or that an official SDK does not.
func TestKeyAuthCredentials(t *testing.T) {
	token, _ := sluice.NewToken("test")
	for _, c := range []struct {
		name   string
		fields []string
		code   sluice.Code
	}{
		{"bearer", []string{"Authorization", "Bearer good"}, ""},
		{"scheme in lower case", []string{"authorization", "bearer   good "}, ""},
		{"x-api-key", []string{"x-api-key", "good"}, ""},
		{"X-API-Key", []string{"X-API-Key", "good"}, ""},
		{"x-goog-api-key", []string{"x-goog-api-key", "good"}, ""},
		{"the same key twice", []string{"Authorization", "Bearer good", "X-Api-Key", "good"}, ""},
		{"a service's own basic credential beside it", []string{"Authorization", "Basic dTpw", "X-Api-Key", "good"}, ""},
		{"nothing", nil, sluice.CodeUnauthorized},
		{"empty", []string{"Authorization", "Bearer "}, sluice.CodeUnauthorized},
		{"unknown", []string{"Authorization", "Bearer bad"}, sluice.CodeUnauthorized},
		{"basic only", []string{"Authorization", "Basic Z29vZA=="}, sluice.CodeUnauthorized},
		{"two different keys", []string{"Authorization", "Bearer good", "X-Api-Key", "bad"}, sluice.CodeUnauthorized},
		{"two fields of one name", []string{"X-Api-Key", "good", "X-Api-Key", "bad"}, sluice.CodeUnauthorized},
		{"an empty field before a good one", []string{"X-Api-Key", "", "X-Goog-Api-Key", "good"}, ""},
		{"an empty field after a good one", []string{"X-Api-Key", "good", "X-Goog-Api-Key", ""}, ""},
		{"a service's own bearer token beside ours", []string{"Authorization", "Bearer eyJ.e30.c2ln", "X-Api-Key", token}, ""},
		{"ours before a service's own", []string{"X-Api-Key", token, "Authorization", "Bearer eyJ.e30.c2ln"}, ""},
		{"two different keys of ours", []string{"X-Api-Key", token, "Authorization", "Bearer slc_test_other"}, sluice.CodeUnauthorized},
	} {
		x := withToken(plugintest.Request("GET", "/", c.fields...), token)
		got := plugintest.Run(t, spec(t, "key-auth"), `{}`, x, plugintest.Answer{})
		if sluice.CodeOf(got.Err) != c.code || (x.Consumer.Key != nil) != (c.code == "") || got.Reached != (c.code == "") {
			t.Errorf("%s: %v, consumer %+v", c.name, got.Err, x.Consumer.Key)
		}
	}
}

// Losing this means that services behind the gateway learn clients' keys, or
// lose credentials that were meant for them.
func TestKeyAuthHidesCredentials(t *testing.T) {
	for config, want := range map[string][]string{
		`{}`:                         {"X-Other"},
		`{"hide_credentials":false}`: {"Authorization", "X-Api-Key", "X-Other"},
	} {
		x := withKeys(plugintest.Request("GET", "/", "Authorization", "Bearer good", "X-Api-Key", "good", "X-Other", "stays"))
		plugintest.Run(t, spec(t, "key-auth"), config, x, plugintest.Answer{})
		var names []string
		for i := range x.Request.Fields.Len() {
			names = append(names, x.Request.Fields.At(i).Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s forwards %v, want %v", config, names, want)
		}
	}
	x := withKeys(plugintest.Request("GET", "/", "Authorization", "Basic dTpw", "X-Api-Key", "good"))
	plugintest.Run(t, spec(t, "key-auth"), `{}`, x, plugintest.Answer{})
	if x.Request.Fields.Get("Authorization") != "Basic dTpw" {
		t.Error("the service's own credential was removed")
	}
	token, _ := sluice.NewToken("test")
	x = withToken(plugintest.Request("GET", "/", "Authorization", "Bearer eyJ.e30.c2ln", "X-Api-Key", token), token)
	plugintest.Run(t, spec(t, "key-auth"), `{}`, x, plugintest.Answer{})
	if x.Request.Fields.Get("Authorization") != "Bearer eyJ.e30.c2ln" || x.Request.Fields.Get("X-Api-Key") != "" {
		t.Error("the wrong credential was removed")
	}
}

// Losing this means that a key's own limits are not applied, or token limits
// where no tokens are.
func TestKeyAuthClaims(t *testing.T) {
	rpm := sluice.Claim{Kind: sluice.ClaimRequests, Bucket: "key:7", Limit: 60, Window: time.Minute, Amount: 1}
	tpm := sluice.Claim{Kind: sluice.ClaimTokens, Bucket: "key:7", Limit: 100_000, Window: time.Minute}
	slot := sluice.Claim{Kind: sluice.ClaimConcurrency, Bucket: "key:7", Limit: 3, Amount: 1}
	for _, c := range []struct {
		surface string
		change  func(*sluice.Key)
		want    []sluice.Claim
	}{
		{"openai", func(*sluice.Key) {}, []sluice.Claim{rpm, tpm}},
		{"openai", func(k *sluice.Key) { k.RPM, k.TPM = nil, nil }, []sluice.Claim{rpm, tpm}},
		{"openai", func(k *sluice.Key) { *k.RPM = 0 }, []sluice.Claim{tpm}},
		{"openai", func(k *sluice.Key) { *k.RPM, *k.TPM = 0, 0 }, nil},
		{"openai", func(k *sluice.Key) { k.Concurrency = new(int64(3)) }, []sluice.Claim{rpm, slot, tpm}},
		{"openai", func(k *sluice.Key) { k.Concurrency = new(int64(0)) }, []sluice.Claim{rpm, tpm}},
		{sluice.SurfaceHTTP, func(k *sluice.Key) { k.Concurrency = new(int64(3)) }, []sluice.Claim{rpm, slot}},
		{sluice.SurfaceHTTP, func(*sluice.Key) {}, []sluice.Claim{rpm}},
	} {
		x := withKeys(plugintest.Request("GET", "/", "X-Api-Key", "good"))
		x.Route.Surface = c.surface
		c.change(x.Keys.(plugintest.Keys)["good"])
		got := plugintest.Run(t, spec(t, "key-auth"), `{}`, x, plugintest.Answer{})
		if !slices.Equal(got.Claims, c.want) {
			t.Errorf("%s: claims %+v, want %+v", c.surface, got.Claims, c.want)
		}
	}
	x := plugintest.Request("GET", "/")
	x.Consumer.Key = plugintest.Consumer(3, "named before")
	if got := plugintest.Run(t, spec(t, "key-auth"), `{}`, x, plugintest.Answer{}); got.Err != nil || len(got.Claims) != 0 {
		t.Errorf("a consumer that was named before: %v, %+v", got.Err, got.Claims)
	}
}
