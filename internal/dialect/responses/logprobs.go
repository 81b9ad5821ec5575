package responses

import (
	"encoding/json"
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// wireToken is a token with its probability, as OpenAI's APIs tell it.
type wireToken struct {
	Token   string      `json:"token"`
	Logprob json.Number `json:"logprob"`
	Bytes   []int       `json:"bytes"`
	Top     []wireToken `json:"top_logprobs"`
}

// unlikely stands for a probability that was not told, as it does with OpenAI.
const unlikely = "-9999.0"

// ReadLogprobs reads a list of tokens with their probabilities, which chat
// completions and responses tell alike; nil when there is none that can be read.
func ReadLogprobs(raw json.RawMessage) *form.Logprobs {
	if len(raw) < len("[{}]") || raw[0] != '[' {
		return nil
	}
	var list []wireToken
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil
	}
	return &form.Logprobs{Tokens: readTokens(list)}
}

func readTokens(list []wireToken) []form.Token {
	if len(list) == 0 {
		return nil
	}
	tokens := make([]form.Token, len(list))
	for i, w := range list {
		tokens[i] = form.Token{Text: w.Token, Logprob: w.Logprob, Bytes: readBytes(w.Bytes), Top: readTokens(w.Top)}
		if w.Logprob == "" {
			tokens[i].Logprob = unlikely
		}
	}
	return tokens
}

func readBytes(list []int) []byte {
	if list == nil {
		return nil
	}
	raw := make([]byte, len(list))
	for i, n := range list {
		raw[i] = byte(n)
	}
	return raw
}

// AppendLogprobs writes the elements of such a list, commas between them.
func AppendLogprobs(to []byte, tokens []form.Token) []byte {
	for i := range tokens {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendToken(to, &tokens[i]), `,"top_logprobs":[`...)
		for j := range tokens[i].Top {
			if j > 0 {
				to = append(to, ',')
			}
			to = append(appendToken(to, &tokens[i].Top[j]), '}')
		}
		to = append(to, "]}"...)
	}
	return to
}

// appendToken writes a token up to its alternatives.
func appendToken(to []byte, t *form.Token) []byte {
	to = jsonscan.AppendText(append(to, `{"token":`...), t.Text)
	to = append(append(to, `,"logprob":`...), t.Logprob...)
	to = append(to, `,"bytes":[`...)
	for i, b := range t.Raw() {
		if i > 0 {
			to = append(to, ',')
		}
		to = strconv.AppendUint(to, uint64(b), 10)
	}
	return append(to, ']')
}
