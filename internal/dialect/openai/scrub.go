package openai

import (
	"bytes"
	"regexp"
	"strings"
)

// shortestSecret is the shortest text that is looked for in answers; anything
// shorter would be found in ordinary words.
const shortestSecret = 8

// scrubber removes what would tell a client, or another tenant, which account
// answered.
type scrubber struct {
	// key is the credential, "" when it is too short to look for.
	key string
	// host is the target's authority.
	host string
	// needles are what is looked for in successes.
	needles [][]byte
}

// newScrubber returns the scrubber of one account. base is its base URL without
// the scheme, "" when it is the vendor's own public one, which an answer may
// well mention.
func newScrubber(key, host, base string) scrubber {
	s := scrubber{host: host}
	if len(key) >= shortestSecret {
		s.key = key
		s.needles = append(s.needles, []byte(key))
	}
	if len(base) >= shortestSecret {
		s.needles = append(s.needles, []byte(base))
	}
	return s
}

// answer returns b without the needles: stars of the same length take their
// place, so that nothing around them moves. b itself is left alone.
func (s *scrubber) answer(b []byte) []byte {
	for _, needle := range s.needles {
		if bytes.Contains(b, needle) {
			b = bytes.ReplaceAll(b, needle, bytes.Repeat([]byte("*"), len(needle)))
		}
	}
	return b
}

// overlap is how many bytes must be held back so that a needle is found across
// two pieces.
func (s *scrubber) overlap() int {
	longest := 1
	for _, needle := range s.needles {
		longest = max(longest, len(needle))
	}
	return longest - 1
}

var (
	// urls are removed from error texts: they name the vendor, the resource or
	// the account.
	urls = regexp.MustCompile(`(?i)\b(?:https?|wss?)://[^\s"'<>)\]]+`)
	// accounts are ids and credentials as vendors write them.
	accounts = regexp.MustCompile(`\b(?:(?:sk|pk|rk|gsk|xai|sess)[-_][A-Za-z0-9*._-]{6,}|(?:org|proj|acct)-[A-Za-z0-9]{6,})`)
)

// message returns an error text that a client may read: without credentials,
// addresses and account names, and of bounded length.
func (s *scrubber) message(text string) string {
	if s.key != "" {
		text = strings.ReplaceAll(text, s.key, "[credential]")
	}
	text = urls.ReplaceAllString(text, "[url]")
	if s.host != "" {
		text = strings.ReplaceAll(text, s.host, "[host]")
		if name, _, ok := strings.Cut(s.host, ":"); ok && len(name) >= shortestSecret {
			text = strings.ReplaceAll(text, name, "[host]")
		}
	}
	text = accounts.ReplaceAllString(text, "[account]")
	const most = 2000
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
