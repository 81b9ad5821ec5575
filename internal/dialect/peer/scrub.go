package peer

import (
	"bytes"
	"regexp"
	"strings"
)

// shortestSecret is the shortest text that is looked for in answers; anything
// shorter would be found in ordinary words.
const shortestSecret = 8

// Scrubber removes what would tell a client, or another tenant, which account
// answered. It is immutable and safe for concurrent use; make one for each
// account with [NewScrubber].
type Scrubber struct {
	// key is the credential, "" when it is too short to look for.
	key string
	// host is the target's authority.
	host string
	// needles are what is looked for in successes.
	needles []needle
}

// needle is a text that is found by its rarest byte, which is much faster than by
// its first.
type needle struct {
	text []byte
	rare int // where that byte stands
}

// in reports whether b holds the needle.
func (n *needle) in(b []byte) bool {
	for at := n.rare; at < len(b); at++ {
		i := bytes.IndexByte(b[at:], n.text[n.rare])
		if i < 0 {
			return false
		}
		at += i
		if bytes.HasPrefix(b[at-n.rare:], n.text) {
			return true
		}
	}
	return false
}

// newNeedle finds the byte that is rarest in answers: text in JSON.
func newNeedle(text string) needle {
	n := needle{text: []byte(text)}
	for i := range n.text {
		if rarity(n.text[i]) > rarity(n.text[n.rare]) {
			n.rare = i
		}
	}
	return n
}

// rarity orders bytes by how seldom they are in answers, roughly.
func rarity(c byte) int {
	switch {
	case 'a' <= c && c <= 'z', c == ' ', c == '"', c == ',', c == ':':
		return 0
	case '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		return 1
	case c == 'Q', c == 'X', c == 'Z', c == 'J', c == 'K':
		return 3
	}
	return 2
}

// NewScrubber returns the scrubber of one account. base is its base URL without
// the scheme, "" when it is the vendor's own public one, which an answer may
// well mention.
func NewScrubber(key, host, base string) Scrubber {
	s := Scrubber{host: host}
	if len(key) >= shortestSecret {
		s.key = key
		s.needles = append(s.needles, newNeedle(key))
	}
	if len(base) >= shortestSecret {
		s.needles = append(s.needles, newNeedle(base))
	}
	return s
}

// Answer returns b without the needles: stars of the same length take their
// place, so that nothing around them moves. b itself is left alone.
func (s *Scrubber) Answer(b []byte) []byte {
	for i := range s.needles {
		if n := &s.needles[i]; n.in(b) {
			b = bytes.ReplaceAll(b, n.text, bytes.Repeat([]byte("*"), len(n.text)))
		}
	}
	return b
}

// Idle reports that there is nothing to look for.
func (s *Scrubber) Idle() bool { return len(s.needles) == 0 }

// Overlap is how many bytes must be held back so that a needle is found across
// two pieces.
func (s *Scrubber) Overlap() int {
	longest := 1
	for _, needle := range s.needles {
		longest = max(longest, len(needle.text))
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

// Message returns an error text that a client may read: without credentials,
// addresses and account names, and of bounded length.
func (s *Scrubber) Message(text string) string {
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
