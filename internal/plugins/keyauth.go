package plugins

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// keyAuthConfig configures key-auth.
type keyAuthConfig struct {
	HideCredentials bool `json:"hide_credentials,omitempty" default:"true" title:"Hide credentials" title_zh:"隐藏凭证" doc:"Removes the key from the request before it is forwarded." doc_zh:"转发前从请求中移除密钥。"`
}

// keyAuth authenticates a request by one of our keys (feature A2).
type keyAuthPlugin struct{ cfg keyAuthConfig }

var _ plugin.Accessor = (*keyAuthPlugin)(nil)

func keyAuth() plugin.Spec {
	return plugin.Define("key-auth", "Authenticates by key and applies the key's own limits.", priorityKeyAuth,
		func(cfg keyAuthConfig, _ plugin.Env) (plugin.Plugin, error) { return &keyAuthPlugin{cfg}, nil },
		plugin.Authenticates(), plugin.SummaryZH("以密钥认证，并执行该密钥自身的限额。"),
		plugin.Example(`{}`), plugin.Example(`{"hide_credentials":false}`))
}

// keyFields are the fields, besides Authorization, in which official SDKs and
// API clients send a key.
var keyFields = [...]string{"X-Api-Key", "X-Goog-Api-Key"}

// Access names the consumer and claims its limits. A consumer that an earlier
// plugin named stays.
func (p *keyAuthPlugin) Access(x *plugin.Exchange) error {
	if x.Consumer.Key != nil {
		return nil
	}
	token, err := credential(&x.Request.Fields)
	if err != nil {
		return err
	}
	consumer, err := x.Keys.ByToken(token)
	if err != nil {
		return err
	}
	x.Consumer = consumer
	if p.cfg.HideCredentials {
		hideCredentials(&x.Request.Fields, token)
	}
	claimKeyLimits(x, &x.Consumer)
	return nil
}

// credential finds the one key that the request presents. A token of another
// make beside one of ours is the service's own affair; otherwise two that differ
// are refused instead of guessed at: a proxy in between may have read the other.
func credential(f *sluice.Fields) (string, error) {
	found := ""
	for i := range f.Len() {
		token, ok := tokenOf(f.At(i))
		switch {
		case !ok || token == "" || token == found:
		case found == "" || looksOurs(token) && !looksOurs(found):
			found = token
		case looksOurs(found) && !looksOurs(token):
		default:
			return "", sluice.Errorf(sluice.CodeUnauthorized, "the request presents two different keys").At("Authorization")
		}
	}
	if found == "" {
		return "", sluice.Errorf(sluice.CodeUnauthorized, "a key is required: send Authorization: Bearer, x-api-key or x-goog-api-key").At("Authorization")
	}
	return found, nil
}

// looksOurs reports whether a token has the start of those that Sluice mints.
func looksOurs(token string) bool { return strings.HasPrefix(token, "slc_") }

// tokenOf returns the key that a field presents. Other schemes of Authorization
// are not ours to judge: a service behind the gateway may want them.
func tokenOf(f sluice.Field) (token string, ok bool) {
	for _, name := range keyFields {
		if strings.EqualFold(f.Name, name) {
			return strings.TrimSpace(f.Value), true
		}
	}
	if !strings.EqualFold(f.Name, "Authorization") {
		return "", false
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(f.Value), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// hideCredentials removes the fields that presented the key, and only those.
func hideCredentials(f *sluice.Fields, key string) {
	for i := f.Len() - 1; i >= 0; i-- {
		if token, ok := tokenOf(f.At(i)); ok && token == key {
			f.Del(f.At(i).Name)
			i = min(i, f.Len())
		}
	}
}

// claimKeyLimits claims the key's requests, a slot while the request runs and,
// where tokens are counted, its tokens; the gateway fills in how many.
func claimKeyLimits(x *plugin.Exchange, c *plugin.Consumer) {
	k, bucket := c.Key, c.Bucket
	if bucket == "" {
		bucket = "key:" + strconv.FormatUint(k.ID, 10)
	}
	if rpm := valueOr(k.RPM, sluice.DefaultRPM); rpm > 0 {
		x.Claim(sluice.Claim{Kind: sluice.ClaimRequests, Bucket: bucket, Limit: rpm, Window: time.Minute, Amount: 1})
	}
	if most := valueOr(k.Concurrency, 0); most > 0 {
		x.Claim(sluice.Claim{Kind: sluice.ClaimConcurrency, Bucket: bucket, Limit: most, Amount: 1})
	}
	tpm := valueOr(k.TPM, sluice.DefaultTPM)
	if tpm > 0 && x.Route != nil && x.Route.Surface != sluice.SurfaceHTTP {
		x.Claim(sluice.Claim{Kind: sluice.ClaimTokens, Bucket: bucket, Limit: tpm, Window: time.Minute})
	}
}

func valueOr(p *int64, otherwise int64) int64 {
	if p == nil {
		return otherwise
	}
	return *p
}
