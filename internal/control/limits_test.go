package control_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// TestDeclaredLimitsHold keeps the limits that the API documents from being
// mere words: one object too long for every snapshot would be everybody's.
func TestDeclaredLimitsHold(t *testing.T) {
	p := fresh(t)
	s, none := p.system(), sluice.WriteOptions{}
	many := func(n int, word string) []string { return strings.Split(strings.Repeat(word+",", n-1)+word, ",") }
	create := map[string]func() error{
		"/models": func() error {
			_, err := s.Keys().Create(t.Context(), sluice.Key{Models: many(1001, "m")}, none)
			return err
		},
		"/shared_with": func() error {
			_, err := s.Groups().Create(t.Context(), sluice.Group{SharedWith: many(1001, "*")}, none)
			return err
		},
		"/operations": func() error {
			_, err := s.Models().Create(t.Context(), sluice.Model{Operations: many(17, "chat")}, none)
			return err
		},
		"/api_key": func() error {
			_, err := s.Providers().Create(t.Context(), sluice.Provider{Type: "demo", APIKey: strings.Repeat("k", 8193)}, none)
			return err
		},
		"/timeouts/total_ms": func() error {
			_, err := s.Providers().Create(t.Context(), sluice.Provider{Type: "demo", Timeouts: sluice.Timeouts{TotalMS: 86_400_001}}, none)
			return err
		},
		"/priority": func() error {
			_, err := s.Routes().Create(t.Context(), sluice.Route{Paths: []string{"/x"}, Surface: "openai", Priority: 1001}, none)
			return err
		},
		"/upstream_host": func() error {
			_, err := s.Upstreams().Create(t.Context(), sluice.Upstream{PassHost: "rewrite", UpstreamHost: strings.Repeat("h", 256), Nodes: []sluice.Node{{Host: "a.example", Port: 80}}}, none)
			return err
		},
	}
	for field, attempt := range create {
		err := attempt()
		if wants(t, err, sluice.CodeInvalidRequest, field); err != nil && sluice.AsError(err).Field != field {
			t.Errorf("%s: the error blames %q", field, sluice.AsError(err).Field)
		}
	}
}

// TestLongestSecretStays lets a provider be changed whose credential is as long
// as may be: sealed, it is longer than what a client may send.
func TestLongestSecretStays(t *testing.T) {
	p := fresh(t)
	providers, none := p.system().Providers(), sluice.WriteOptions{}
	_, err := providers.Create(t.Context(), sluice.Provider{Meta: named("platform", "long"), Type: "demo", APIKey: strings.Repeat("k", 8192)}, none)
	must(t, err)
	_, err = providers.Patch(t.Context(), "platform", "long", []byte(`{"weight":2}`), none)
	must(t, err)
}
