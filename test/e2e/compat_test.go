package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/test/process"
)

// TestCompatibilityPaths decodes the answers of the compatibility paths with
// plain structs, as programs of other people do (features E1, E2).
func TestCompatibilityPaths(t *testing.T) {
	p := process.Start(t, process.Options{})
	p.SetUp(t)
	signIn := do(t, "POST", p.Control+"/v1/auth/token", "", `{"email":"`+process.AdminEmail+`","password":"`+process.AdminPassword+`"}`)
	token := field(t, signIn.body, "access_token")
	decode := func(got answer, want int, into any) {
		t.Helper()
		if got.status != want {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if err := json.Unmarshal([]byte(got.body), into); err != nil {
			t.Fatalf("%v in %s", err, got.body)
		}
	}

	var provider struct {
		ID      uint   `json:"id"`
		Name    string `json:"name"`
		Type    string `json:"type"`
		BaseURL string `json:"base_url"`
		APIKey  string `json:"api_key"`
		Group   string `json:"group"`
	}
	const secret = "sk-a-secret-of-the-provider"
	decode(do(t, "POST", p.Control+"/providers", token,
		`{"name":"other","type":"openai-compatible","base_url":"https://llm.example.com/v1","api_key":"`+secret+`","group":"default"}`), 201, &provider)
	if provider.ID == 0 || provider.Name != "other" || provider.Group != "default" || strings.Contains(provider.APIKey, secret) {
		t.Errorf("provider: %+v", provider)
	}

	var key struct {
		ID        uint    `json:"id"`
		TokenHash string  `json:"token_hash"`
		Group     string  `json:"group"`
		Status    string  `json:"status"`
		Weight    int     `json:"weight"`
		Balance   float64 `json:"balance"`
		Token     string  `json:"token"`
	}
	decode(do(t, "POST", p.Control+"/keys", token, `{"group":"default"}`), 201, &key)
	if key.ID == 0 || len(key.TokenHash) != 64 || key.Group != "default" || key.Status != "active" || key.Weight != 1 || key.Token == "" {
		t.Errorf("key: %+v", key)
	}
	eventually(t, "the key works", func() bool { return chat(t, p, key.Token).status == 200 })
	if got := do(t, "POST", p.Control+"/keys", token, `{"provider_id":3}`); got.status != 400 || !strings.Contains(got.body, "group") {
		t.Errorf("a key with provider_id: %d %s", got.status, got.body)
	}

	type model struct {
		Name          string  `json:"name"`
		ContextWindow int     `json:"context_window"`
		CostPerToken  float64 `json:"cost_per_token"`
		Vision        bool    `json:"supports_vision"`
		MaxOutput     int     `json:"max_output_tokens"`
	}
	var made model
	want := model{"m1", 8192, 0.0000025, true, 1024}
	decode(do(t, "POST", p.Control+"/models", token,
		`{"name":"m1","context_window":8192,"cost_per_token":0.0000025,"supports_vision":true,"max_output_tokens":1024}`), 201, &made)
	if made != want {
		t.Errorf("model: %+v", made)
	}
	var list struct {
		Items []model `json:"items"`
	}
	decode(do(t, "GET", p.Control+"/models?limit=500", token, ""), 200, &list)
	found := false
	for _, m := range list.Items {
		found = found || m == want
	}
	if !found {
		t.Errorf("m1 is not listed: %+v", list.Items)
	}
	if got := do(t, "POST", p.Control+"/sync/snapshot", token, ""); got.status != 200 {
		t.Errorf("sync: %d %s", got.status, got.body)
	}
}
