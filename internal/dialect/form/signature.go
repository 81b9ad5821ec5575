package form

import (
	"bytes"
	"strings"
)

// The origins of signatures: protocols that sign reasoning.
const (
	OriginAnthropic = "anthropic"
	OriginGemini    = "gemini"
	OriginOpenAI    = "openai"
)

// travelMark stands before signatures that travel through a protocol that is
// not their own: mark, origin, colon, value.
const travelMark = "sluice-"

// Travelling writes a signature so that it survives in a protocol of another
// origin and can be told from that protocol's own: clients send back what they
// were given, unread. A signature at home, and none, stay as they are.
func (s Signature) Travelling(home string) string {
	if s.Value == "" || s.Origin == home {
		return s.Value
	}
	return travelMark + s.Origin + ":" + s.Value
}

// ReadSignature is the inverse of [Signature.Travelling]: what carries no mark
// is of the protocol itself.
func ReadSignature(text, home string) Signature {
	if text == "" {
		return Signature{}
	}
	if rest, ok := strings.CutPrefix(text, travelMark); ok {
		if origin, value, ok := strings.Cut(rest, ":"); ok {
			return Signature{Origin: origin, Value: value}
		}
	}
	return Signature{Origin: home, Value: text}
}

// Moved reports whether a body holds a signature that travelled: part of the
// conversation came from a provider of another protocol. Such a request is
// translated even between equals, because what is left out of it then has
// consequences that only a codec knows.
func Moved(body []byte) bool {
	if Holds(body, travelMark64, 'W') {
		return true
	}
	for {
		i := indexRare(body, travelMark, '-')
		if i < 0 {
			return false
		}
		body = body[i+len(travelMark):]
		for _, origin := range [...]string{OriginAnthropic + ":", OriginGemini + ":", OriginOpenAI + ":"} {
			if len(body) >= len(origin) && string(body[:len(origin)]) == origin {
				return true
			}
		}
	}
}

// Holds reports whether a body holds text, of which rare is a byte that bodies
// seldom have: bytes.Contains looks for the first one, which every other word of
// prose, or every member of JSON, has in what is looked for here.
func Holds(body []byte, text string, rare byte) bool { return indexRare(body, text, rare) >= 0 }

// indexRare is where the text begins, -1 where it is not.
func indexRare(body []byte, text string, rare byte) int {
	offset := strings.IndexByte(text, rare)
	for from := 0; ; {
		i := bytes.IndexByte(body[from:], rare)
		if i < 0 {
			return -1
		}
		start := from + i - offset
		if start >= 0 && len(body)-start >= len(text) && string(body[start:start+len(text)]) == text {
			return start
		}
		from += i + 1
	}
}

// travelMark64 is how every marked signature begins that is written in base64.
const travelMark64 = "c2x1aWNlL"
