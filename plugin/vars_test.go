package plugin_test

import (
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

// Losing this means that filters and limits by variable decide on wrong values.
func TestVars(t *testing.T) {
	x := plugintest.Request("POST", "/a/7?x=1&enc=a%20b+c&x=2&bad=%zz&empty=", "X-App-Id", "app", "Cookie", `s=abc; q="quoted"`, "User-Agent", "curl")
	x.Request.Host = "[2001:db8::1]:8080"
	x.Request.ContentLength = 12
	x.Params = []plugin.Param{{Name: "id", Value: "7"}}
	x.Consumer.Key = plugintest.Consumer(5, "key")
	x.Response = &sluice.RespHead{Status: 201}
	x.Response.Fields.Add("X-Cache", "hit")
	x.TargetStatus, x.Model, x.Operation, x.Stream = 200, "gpt", "chat", true
	for name, want := range map[string]string{
		"uri": "/a/7", "request_uri": "/a/7?x=1&enc=a%20b+c&x=2&bad=%zz&empty=", "request_method": "POST", "scheme": "http", "host": "2001:db8::1",
		"remote_addr": "203.0.113.9", "content_length": "12", "arg_x": "1", "arg_enc": "a b c", "arg_bad": "%zz", "http_x_app_id": "app",
		"http_user_agent": "curl", "cookie_s": "abc", "cookie_q": "quoted", "uri_param_id": "7", "consumer_name": "key", "consumer_group_id": "default",
		"key_id": "5", "user_name": "user", "tenant_name": "platform", "route_name": "route", "route_id": "1", "status": "201", "upstream_status": "200",
		"sent_http_x_cache": "hit", "llm_model": "gpt", "llm_operation": "chat", "llm_stream": "true", "request_id": x.ID, "server_protocol": "HTTP/1.1",
	} {
		if got, ok := x.Var(name); got != want || !ok {
			t.Errorf("%s = %q, %v; want %q", name, got, ok, want)
		}
	}
	if v, ok := x.Var("arg_empty"); v != "" || !ok {
		t.Errorf("an empty argument: %q, %v", v, ok)
	}
	bare := plugintest.Request("GET", "/")
	for _, name := range []string{"arg_x", "http_x", "cookie_x", "uri_param_x", "sent_http_x", "consumer_name", "key_id", "status", "upstream_status", "llm_model", "llm_stream", "nonsense"} {
		if v, ok := bare.Var(name); v != "" || ok {
			t.Errorf("%s = %q, %v on a bare request", name, v, ok)
		}
	}
}

// Losing this means that a limit's own message reaches the wrong client, or
// hides another limit's refusal.
func TestRefused(t *testing.T) {
	x := plugintest.Request("GET", "/")
	x.ClaimSaying(sluice.Claim{Bucket: "mine"}, "slow down")
	x.Claim(sluice.Claim{Bucket: "other"})
	mine := sluice.Errorf(sluice.CodeRequestRate, "limit").With("bucket", "mine").After(7)
	if got := sluice.AsError(x.Refused(mine)); got.Message != "slow down" || got.RetryAfter != 7 || got.Code != sluice.CodeRequestRate {
		t.Errorf("got %+v", got)
	}
	if mine.Message != "limit" {
		t.Error("the shared error was changed")
	}
	other := sluice.Errorf(sluice.CodeRequestRate, "limit").With("bucket", "other")
	if got := x.Refused(other); got != error(other) {
		t.Errorf("another's refusal became %v", got)
	}
	if len(x.Claims()) != 2 || x.Refused(nil) != nil {
		t.Error("claims or a nil refusal were lost")
	}
	x.Reset()
	if got := x.Refused(mine); got != error(mine) {
		t.Errorf("after Reset: %v", got)
	}
}
