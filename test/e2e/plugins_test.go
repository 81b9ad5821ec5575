package e2e_test

import (
	"encoding/json"
	"testing"

	"github.com/sluicegate/sluice/test/process"
)

// TestPluginsAreListed shows people every built-in plugin, where it runs and
// how it is configured; forms are drawn from it.
func TestPluginsAreListed(t *testing.T) {
	p := process.Start(t, process.Options{})
	p.SetUp(t)
	signIn := do(t, "POST", p.Control+"/v1/auth/token", "", `{"email":"`+process.AdminEmail+`","password":"`+process.AdminPassword+`"}`)
	got := do(t, "GET", p.Control+"/admin/v1/plugins", field(t, signIn.body, "access_token"), "")
	var list struct {
		Items []struct {
			Name   string          `json:"name"`
			Phases []string        `json:"phases"`
			Schema json.RawMessage `json:"schema"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 {
		t.Fatalf("%d %v %s", got.status, err, got.body)
	}
	known := map[string]bool{}
	for _, item := range list.Items {
		known[item.Name] = true
		if len(item.Phases) == 0 || len(item.Schema) < 10 {
			t.Errorf("%s: phases %v, schema %s", item.Name, item.Phases, item.Schema)
		}
	}
	for _, name := range []string{"key-auth", "limit-count", "ip-restriction", "cors", "request-id", "access-record"} {
		if !known[name] {
			t.Errorf("%s is not listed: %v", name, known)
		}
	}
}
