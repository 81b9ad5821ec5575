package demo

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Limits of embeddings.
const (
	defaultDimensions = 256
	maxDimensions     = 4096
	maxInputs         = 2048
)

// embeddings answers with unit vectors that depend on the text, the seed and
// the number of dimensions alone.
func (a *answerer) embeddings() ([]byte, error) {
	inputs, err := a.inputs()
	if err != nil {
		return nil, err
	}
	dimensions := a.Dimensions
	if dimensions == 0 {
		dimensions = defaultDimensions
	}
	if dimensions < 1 || dimensions > maxDimensions {
		return nil, fmt.Errorf("dimensions must be 1 to %d", maxDimensions)
	}
	data := make([]any, len(inputs))
	tokens := int64(0)
	for i, text := range inputs {
		tokens += max(1, tokensOf(text))
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": a.encoded(a.vector(text, dimensions))}
	}
	return encode(map[string]any{
		"object": "list", "data": data, "model": a.Model,
		"usage": map[string]any{"prompt_tokens": tokens, "total_tokens": tokens},
	}), nil
}

// inputs are the texts: one, several, or token ids, which stand for themselves.
func (a *answerer) inputs() ([]string, error) {
	var one string
	if json.Unmarshal(a.Input, &one) == nil {
		return []string{one}, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(a.Input, &list) != nil || len(list) == 0 {
		return nil, errors.New("input must be a string or a list that is not empty")
	}
	if len(list) > maxInputs {
		return nil, fmt.Errorf("input holds more than %d texts", maxInputs)
	}
	if list[0][0] != '"' && list[0][0] != '[' {
		return []string{string(a.Input)}, nil
	}
	texts := make([]string, len(list))
	for i, raw := range list {
		if json.Unmarshal(raw, &texts[i]) != nil {
			texts[i] = string(raw)
		}
	}
	return texts, nil
}

// vector is a point on the unit sphere.
func (a *answerer) vector(text string, dimensions int) []float32 {
	h := fnv.New64a()
	h.Write([]byte(text))
	random := rand.New(rand.NewPCG(h.Sum64(), uint64(a.settings.seed)))
	v := make([]float64, dimensions)
	sum := 0.0
	for i := range v {
		v[i] = random.NormFloat64()
		sum += v[i] * v[i]
	}
	unit := make([]float32, dimensions)
	for i := range v {
		unit[i] = float32(v[i] / math.Sqrt(sum))
	}
	return unit
}

// encoded writes a vector as numbers, or as little-endian floats in base64.
func (a *answerer) encoded(v []float32) any {
	if a.EncodingFormat != "base64" {
		return v
	}
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}
