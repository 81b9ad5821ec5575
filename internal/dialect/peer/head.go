package peer

import (
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
)

// MediaType is a content type without its parameters, in lower case.
func MediaType(contentType string) string {
	if contentType == "application/json" || contentType == "text/event-stream" {
		return contentType
	}
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// Address is the host and port to dial for a base URL.
func Address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "http" {
		return u.Host + ":80"
	}
	return u.Host + ":443"
}

// renamed are the only response fields of a target that a client sees, besides
// the content type: under our own names, because they speak of the account that
// answered, not of the client's key.
var renamed = []struct{ from, to string }{
	{"openai-processing-ms", "X-Sluice-Provider-Processing-Ms"},
	{"x-ratelimit-limit-requests", "X-Sluice-Provider-Limit-Requests"},
	{"x-ratelimit-limit-tokens", "X-Sluice-Provider-Limit-Tokens"},
	{"x-ratelimit-remaining-requests", "X-Sluice-Provider-Remaining-Requests"},
	{"x-ratelimit-remaining-tokens", "X-Sluice-Provider-Remaining-Tokens"},
	{"x-ratelimit-reset-requests", "X-Sluice-Provider-Reset-Requests"},
	{"x-ratelimit-reset-tokens", "X-Sluice-Provider-Reset-Tokens"},
	{"anthropic-ratelimit-requests-limit", "X-Sluice-Provider-Limit-Requests"},
	{"anthropic-ratelimit-requests-remaining", "X-Sluice-Provider-Remaining-Requests"},
	{"anthropic-ratelimit-requests-reset", "X-Sluice-Provider-Reset-Requests"},
	{"anthropic-ratelimit-tokens-limit", "X-Sluice-Provider-Limit-Tokens"},
	{"anthropic-ratelimit-tokens-remaining", "X-Sluice-Provider-Remaining-Tokens"},
	{"anthropic-ratelimit-tokens-reset", "X-Sluice-Provider-Reset-Tokens"},
	{"retry-after", "Retry-After"},
}

// PassFields copies what a client may see of an answer's fields.
func PassFields(from, to *sluice.Fields) {
	for _, f := range renamed {
		if value, ok := from.Lookup(f.from); ok && len(value) <= 64 {
			to.Add(f.to, value)
		}
	}
}
