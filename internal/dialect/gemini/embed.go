package gemini

import (
	"encoding/json"
	"fmt"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

const (
	// maxInputs is the most texts that one request of a client may embed.
	maxInputs = 10_000
	// maxBatch is the most that Google takes at once.
	maxBatch = 100
)

// embedRequest is an EmbedContentRequest.
type embedRequest struct {
	Model                string   `json:"model,omitempty"`
	Content              *content `json:"content"`
	TaskType             string   `json:"taskType,omitempty"`
	Title                string   `json:"title,omitempty"`
	OutputDimensionality integer  `json:"outputDimensionality,omitempty"`
}

// readEmbed reads what an embedding asks for without decoding its texts.
func (r *reading) readEmbed(document jsonscan.Value) error {
	body := r.ask.Body
	found, err := names(body, document, "")
	if err != nil {
		return err
	}
	if r.verb == verbEmbed {
		if !given(found["content"]) {
			return form.Refuse("/content", "content is required")
		}
		return r.readModel(found["model"], "/model")
	}
	requests := found["requests"]
	if requests.Kind != jsonscan.Array || jsonscan.Empty(body, requests) {
		return form.Refuse("/requests", "requests must be an array of at least one request")
	}
	i := 0
	for e := requests.Elements(body); e.Next(); i++ {
		at := fmt.Sprintf("/requests/%d", i)
		inner, err := names(body, e.Value(), at)
		if err != nil {
			return err
		}
		if err := r.readModel(inner["model"], at+"/model"); err != nil {
			return err
		}
	}
	return nil
}

// Embed implements [form.Front].
func (f *front) Embed() (*form.Embed, error) {
	if f.embed == nil && f.err == nil {
		f.embed, f.err = f.reading.decodeEmbed()
	}
	return f.embed, f.err
}

// decodeEmbed reads the texts.
func (r *reading) decodeEmbed() (*form.Embed, error) {
	doc := json.RawMessage(canonical(r.ask.Body))
	q := &form.Embed{Model: r.ask.Model}
	if r.verb == verbEmbed {
		return q, readEmbedding(q, doc, "")
	}
	requests := jsonscan.Find(doc, jsonscan.At(doc, 0), "requests").In(doc)
	return q, list(requests, "/requests", maxInputs, func(raw json.RawMessage, field string) error {
		return readEmbedding(q, raw, field)
	})
}

// readEmbedding reads one request. What all of them share must be the same in
// every one, for other protocols say it once.
func readEmbedding(q *form.Embed, raw json.RawMessage, field string) error {
	var one embedRequest
	if err := decode(raw, field, &one); err != nil {
		return err
	}
	if one.Content == nil || len(one.Content.Parts) == 0 {
		return form.Refuse(field+"/content/parts", "parts must not be empty")
	}
	input := form.EmbedInput{Field: field + "/content"}
	for i, p := range one.Content.Parts {
		if p.Text == nil {
			return form.Refuse(fmt.Sprintf("%s/content/parts/%d", field, i), "the provider of this model embeds text only")
		}
		input.Text += *p.Text
	}
	if len(q.Inputs) == 0 {
		q.Dimensions, q.Task, q.Title = int64(one.OutputDimensionality), one.TaskType, one.Title
	}
	if q.Dimensions != int64(one.OutputDimensionality) {
		return form.Refuse(field+"/outputDimensionality", "outputDimensionality must be the same in every request")
	}
	if q.Task != one.TaskType {
		return form.Refuse(field+"/taskType", "taskType must be the same in every request")
	}
	q.Inputs = append(q.Inputs, input)
	return nil
}

// vector is a ContentEmbedding.
type vector struct {
	Values form.Vector `json:"values"`
}

// Embeddings implements [form.Front].
func (f *front) Embeddings(_ form.Info, found *form.Embeddings) ([]byte, error) {
	if f.reading.verb == verbEmbed && len(found.Vectors) == 1 {
		return marshal(struct {
			Embedding vector `json:"embedding"`
		}{vector{found.Vectors[0]}})
	}
	out := struct {
		Embeddings []vector `json:"embeddings"`
	}{make([]vector, len(found.Vectors))}
	for i, v := range found.Vectors {
		out.Embeddings[i].Values = v
	}
	return marshal(out)
}

// marshal renders vectors, which may hold what JSON cannot.
func marshal(v any) ([]byte, error) {
	doc, err := json.Marshal(v)
	if err != nil {
		return nil, peer.Broken("it holds a vector that is not of numbers")
	}
	return doc, nil
}

var _ form.Embedder = (*plan)(nil)

// EncodeEmbed implements [form.Embedder].
func (*plan) EncodeEmbed(q *form.Embed, t *form.Target) (form.Encoded, error) {
	var body struct {
		Requests []embedRequest `json:"requests"`
	}
	if len(q.Inputs) > maxBatch {
		return form.Encoded{}, form.Refuse(q.Inputs[maxBatch].Field, "the provider of this model embeds at most %d texts at once", maxBatch)
	}
	for _, input := range q.Inputs {
		if input.Tokens != nil {
			return form.Encoded{}, form.Refuse(input.Field, "the provider of this model embeds text, not tokens")
		}
		if input.Text == "" {
			return form.Encoded{}, form.Refuse(input.Field, "an empty text cannot be embedded")
		}
		body.Requests = append(body.Requests, embedRequest{
			Model: modelName(t.Model), Content: &content{Parts: []part{textPart(input.Text)}},
			TaskType: q.Task, Title: q.Title, OutputDimensionality: integer(q.Dimensions),
		})
	}
	if q.User != "" {
		if err := t.Drop("user", ""); err != nil {
			return form.Encoded{}, err
		}
	}
	if err := t.DropExtras(q.Extras, nil); err != nil {
		return form.Encoded{}, err
	}
	return form.Encoded{Path: modelPath(t.Model) + ":" + verbEmbedBatch, Body: mustJSON(body)}, nil
}

// DecodeEmbed implements [form.Embedder].
func (*plan) DecodeEmbed(doc []byte) (*form.Embeddings, error) {
	var r struct {
		Embeddings    []vector        `json:"embeddings"`
		UsageMetadata json.RawMessage `json:"usageMetadata"`
	}
	if err := json.Unmarshal(doc, &r); err != nil || r.Embeddings == nil {
		return nil, peer.Broken("it holds no embeddings")
	}
	found := &form.Embeddings{Vectors: make([]form.Vector, len(r.Embeddings))}
	for i, v := range r.Embeddings {
		found.Vectors[i] = v.Values
	}
	found.Usage, found.Stated = readUsage(r.UsageMetadata)
	return found, nil
}
