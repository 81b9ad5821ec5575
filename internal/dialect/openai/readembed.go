package openai

import (
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Limits on one translated request for embeddings.
const (
	maxInputs     = 2048
	maxDimensions = 1 << 16
	maxTokenID    = 1<<31 - 1
)

// readEmbed decodes a request of /embeddings.
func readEmbed(ask *dialect.Ask) (*form.Embed, error) {
	q := &form.Embed{Model: ask.Model}
	body := documentNode(ask.Body)
	err := body.members(func(m node) (err error) {
		switch m.name {
		case "model":
		case "input":
			q.Inputs, err = readInputs(m)
		case "dimensions":
			q.Dimensions, err = m.integer(1, maxDimensions)
		case "encoding_format":
			q.Base64, err = readEncoding(m)
		case "user":
			q.User, err = m.text()
		default:
			q.Extras = append(q.Extras, form.Extra{Name: m.name, Value: m.raw()})
		}
		return err
	})
	return q, err
}

// readEncoding reads float or base64.
func readEncoding(m node) (base64 bool, err error) {
	word, err := m.text()
	if err == nil && word != "float" && word != "base64" {
		return false, m.bad("must be float or base64")
	}
	return word == "base64", err
}

// readInputs reads a text, a list of token numbers, or a list of either.
func readInputs(m node) ([]form.EmbedInput, error) {
	if m.v.Kind == jsonscan.String {
		return oneInput(readTextInput(m))
	}
	if m.v.Kind != jsonscan.Array {
		return nil, m.must("a string or an array")
	}
	if jsonscan.Empty(m.doc, m.v) {
		return nil, m.bad("must not be empty")
	}
	if first := m.v.Elements(m.doc); first.Next() && first.Value().Kind == jsonscan.Number {
		return oneInput(readTokens(m))
	}
	var inputs []form.EmbedInput
	err := m.elements(func(e node) error {
		if len(inputs) == maxInputs {
			return m.bad("must not hold more than %d inputs", maxInputs)
		}
		read := readTextInput
		if e.v.Kind == jsonscan.Array {
			read = readTokens
		}
		input, err := read(e)
		inputs = append(inputs, input)
		return err
	})
	return inputs, err
}

func oneInput(i form.EmbedInput, err error) ([]form.EmbedInput, error) {
	return []form.EmbedInput{i}, err
}

func readTextInput(m node) (form.EmbedInput, error) {
	text, err := m.text()
	if err == nil && text == "" {
		err = m.bad("must not be empty")
	}
	return form.EmbedInput{Text: text, Field: m.at()}, err
}

func readTokens(m node) (form.EmbedInput, error) {
	input := form.EmbedInput{Field: m.at(), Tokens: []int64{}}
	err := m.elements(func(e node) error {
		n, err := e.integer(0, maxTokenID)
		input.Tokens = append(input.Tokens, n)
		return err
	})
	if err == nil && len(input.Tokens) == 0 {
		err = m.bad("must not be empty")
	}
	return input, err
}
