package app

import (
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// placeholderWords stand in the values that examples and predecessors show:
// whoever runs on one of them lets everybody sign tokens. A drawn secret has
// none of them but by a chance nobody meets.
var placeholderWords = []string{"secret", "change", "default", "password", "example", "your-", "your_"}

// wellKnown reports whether a secret reads like a placeholder.
func wellKnown(secret string) bool {
	lower := strings.ToLower(secret)
	return slices.ContainsFunc(placeholderWords, func(word string) bool { return strings.Contains(lower, word) })
}

// checkSecrets refuses missing and well-known secrets outside --dev, and
// malformed ones everywhere. A gateway signs no tokens.
func (c *Config) checkSecrets(p *problems, role Role, dev bool) {
	if c.MasterKey != "" {
		if _, err := seal.Parse(c.MasterKey); err != nil {
			*p = append(*p, sluice.Errorf(sluice.CodeMasterKey, "SLUICE_MASTER_KEY (secrets.master_key): %v", err))
		}
	} else if !dev {
		*p = append(*p, sluice.Errorf(sluice.CodeMasterKey,
			"SLUICE_MASTER_KEY (secrets.master_key) is not set; make one with `openssl rand -hex 32` and keep it safe, or use --dev"))
	}
	switch {
	case !role.controls():
	case c.JWTSecret == "" && !dev:
		p.bad("SLUICE_JWT_SECRET (auth.jwt_secret) is not set; make one with `openssl rand -hex 32`, or use --dev")
	case c.JWTSecret != "" && wellKnown(c.JWTSecret):
		p.bad("SLUICE_JWT_SECRET (auth.jwt_secret) is a well-known default or reads like a placeholder; make one with `openssl rand -hex 32`")
	case c.JWTSecret != "" && (len(c.JWTSecret) < minSecret || repeats(c.JWTSecret)):
		p.bad("SLUICE_JWT_SECRET (auth.jwt_secret) must be %d random bytes or more; make one with `openssl rand -hex 32`", minSecret)
	}
}

// repeats reports whether a text has so few different bytes that nobody drew it
// at random.
func repeats(s string) bool {
	seen := map[byte]bool{}
	for i := range len(s) {
		seen[s[i]] = true
	}
	return len(seen) < 8
}
