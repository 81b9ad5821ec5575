package openai

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// embedBody is a request of /embeddings.
type embedBody struct {
	Model      string `json:"model"`
	Input      any    `json:"input"`
	Dimensions int64  `json:"dimensions,omitempty"`
	Encoding   string `json:"encoding_format,omitempty"`
	User       string `json:"user,omitempty"`
}

// EncodeEmbed implements [form.Embedder].
func (p *plan) EncodeEmbed(q *form.Embed, t *form.Target) (form.Encoded, error) {
	body := embedBody{Model: t.Model, Dimensions: q.Dimensions, Encoding: "float"}
	if p.flavor.quirks.packs {
		body.Encoding = "base64"
	}
	var err error
	if body.Input, err = embedInput(q.Inputs); err != nil {
		return form.Encoded{}, err
	}
	if err := p.dropEmbed(q, t, &body); err != nil {
		return form.Encoded{}, err
	}
	text, err := appendPlain(nil, &body)
	return form.Encoded{Path: p.flavor.below(embedPath, p.apiVersion, t.Model), Body: text}, err
}

// dropEmbed takes the user where it is known and drops what has no equivalent.
func (p *plan) dropEmbed(q *form.Embed, t *form.Target, body *embedBody) error {
	for _, x := range []struct {
		name   string
		stated bool
	}{{"taskType", q.Task != ""}, {"title", q.Title != ""}, {"user", q.User != "" && p.flavor.quirks.user != "user"}} {
		if !x.stated {
			continue
		}
		if err := t.Drop(x.name, ""); err != nil {
			return err
		}
	}
	if p.flavor.quirks.user == "user" {
		body.User = q.User
	}
	return t.DropExtras(q.Extras, nil)
}

// embedInput writes the inputs, which are all texts or all lists of tokens.
func embedInput(inputs []form.EmbedInput) (any, error) {
	texts := make([]string, 0, len(inputs))
	var tokens [][]int64
	for _, in := range inputs {
		if in.Tokens != nil {
			tokens = append(tokens, in.Tokens)
		} else {
			texts = append(texts, in.Text)
		}
		if len(tokens) > 0 && len(texts) > 0 {
			return nil, form.Refuse(in.Field, "texts and lists of tokens cannot be mixed")
		}
	}
	if tokens != nil {
		return tokens, nil
	}
	return texts, nil
}

// DecodeEmbed implements [form.Embedder].
func (p *plan) DecodeEmbed(doc []byte) (*form.Embeddings, error) {
	var answer struct {
		Data []struct {
			Index     *int            `json:"index"`
			Embedding json.RawMessage `json:"embedding"`
		} `json:"data"`
		Usage json.RawMessage `json:"usage"`
	}
	if err := json.Unmarshal(doc, &answer); err != nil {
		return nil, peer.Broken("it holds what is no answer of this protocol")
	}
	found := &form.Embeddings{Vectors: make([]form.Vector, len(answer.Data))}
	for i, d := range answer.Data {
		if d.Index != nil {
			i = *d.Index
		}
		if i < 0 || i >= len(found.Vectors) || found.Vectors[i] != nil {
			return nil, peer.Broken("it numbers its vectors wrongly")
		}
		var ok bool
		if found.Vectors[i], ok = readVector(d.Embedding); !ok {
			return nil, peer.Broken("it holds a vector that cannot be read")
		}
	}
	found.Usage, found.Stated = parseUsage(answer.Usage, false)
	return found, nil
}

// readVector reads numbers, or base64.
func readVector(raw json.RawMessage) (form.Vector, bool) {
	if len(raw) > 0 && raw[0] == '"' {
		text := ""
		if json.Unmarshal(raw, &text) != nil {
			return nil, false
		}
		return unpack(text)
	}
	var v form.Vector
	err := json.Unmarshal(raw, &v)
	return v, err == nil && len(v) > 0
}
