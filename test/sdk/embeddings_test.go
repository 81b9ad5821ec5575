package sdk_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
)

// vector is the embedding of the n-th text: its place tells whether the order is
// kept.
func vector(n int) []float32 { return []float32{float32(n), 0.5, -0.25} }

// openAIEmbeddings answers POST /v1/embeddings.
func openAIEmbeddings(_ *http.Request, body []byte) (answer, error) {
	var in struct {
		Model          string
		Input          any
		EncodingFormat string `json:"encoding_format"`
		Dimensions     *int
		User           string
	}
	if err := strictly(body, &in); err != nil {
		return answer{}, err
	}
	count := 1
	switch input := in.Input.(type) {
	case string:
	case []any:
		if count = len(input); count == 0 {
			return answer{}, errors.New("input is empty")
		}
	default:
		return answer{}, errors.New("input is neither a text nor a list")
	}
	data := []any{}
	for i := range count {
		data = append(data, object{"object": "embedding", "index": i, "embedding": openAIVector(i, in.EncodingFormat)})
	}
	return answer{body: object{"object": "list", "data": data, "model": in.Model, "usage": object{"prompt_tokens": tokensFresh, "total_tokens": tokensFresh}}}, nil
}

func openAIVector(n int, format string) any {
	if format != "base64" {
		return vector(n)
	}
	var b []byte
	for _, x := range vector(n) {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// geminiEmbed is one text of an embedding request of Google's.
type geminiEmbed struct {
	Model                string
	Content              *geminiContent
	TaskType, Title      string
	OutputDimensionality *int
}

// geminiBatch answers batchEmbedContents.
func geminiBatch(body []byte) (answer, error) {
	var in struct{ Requests []geminiEmbed }
	if err := strictly(body, &in); err != nil {
		return answer{}, err
	}
	if len(in.Requests) == 0 || len(in.Requests) > 100 {
		return answer{}, errors.New("a batch has 1 to 100 requests")
	}
	embeddings := []any{}
	for i, one := range in.Requests {
		if err := one.check(); err != nil {
			return answer{}, err
		}
		embeddings = append(embeddings, object{"values": vector(i)})
	}
	return answer{body: object{"embeddings": embeddings}}, nil
}

// geminiOne answers embedContent.
func geminiOne(body []byte) (answer, error) {
	var in geminiEmbed
	if err := json.Unmarshal(body, &in); err != nil {
		return answer{}, err
	}
	in.Model = "models/gemini-embedding-001" // it stands in the path
	return answer{body: object{"embedding": object{"values": vector(0)}}}, in.check()
}

func (e geminiEmbed) check() error {
	if !strings.HasPrefix(e.Model, "models/") {
		return errors.New("the model is not named")
	}
	if e.Content == nil || len(e.Content.Parts) == 0 || e.Content.Parts[0].Text == "" {
		return errors.New("there is nothing to embed")
	}
	return nil
}
