package form

import "encoding/json"

// Logprobs are the probabilities of the tokens that a piece of text consists of.
type Logprobs struct{ Tokens []Token }

// Token is a token with the logarithm of its probability.
type Token struct {
	Text string
	// Logprob keeps the provider's own digits.
	Logprob json.Number
	// Bytes is the token as bytes, where it is no text by itself; nil when they
	// are those of Text.
	Bytes []byte
	// Top are the likeliest tokens at this place; they have none themselves.
	Top []Token
}

// tokenCost is about what a token takes in memory besides its bytes.
const tokenCost = 80

// size is about how many bytes they take in memory; p may be nil.
func (p *Logprobs) size() int {
	if p == nil {
		return 0
	}
	return sizeOf(p.Tokens)
}

func sizeOf(tokens []Token) (n int) {
	for i := range tokens {
		t := &tokens[i]
		n += tokenCost + len(t.Text) + len(t.Logprob) + len(t.Bytes) + sizeOf(t.Top)
	}
	return n
}

// Raw is the token as bytes.
func (t *Token) Raw() []byte {
	if t.Bytes == nil {
		return []byte(t.Text)
	}
	return t.Bytes
}

// Add appends the tokens of another piece; p may be nil, and so may be the
// result.
func (p *Logprobs) Add(more *Logprobs) *Logprobs {
	switch {
	case more == nil:
		return p
	case p == nil:
		return &Logprobs{Tokens: append([]Token(nil), more.Tokens...)}
	}
	p.Tokens = append(p.Tokens, more.Tokens...)
	return p
}
