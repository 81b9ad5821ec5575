package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// writtenVector is one element of the list of embeddings.
type writtenVector struct {
	Object    string          `json:"object"`
	Index     int             `json:"index"`
	Embedding json.RawMessage `json:"embedding"`
}

// writeEmbeddings renders an answer to /embeddings. Numbers keep the precision
// of 32 bits, with which every provider computes them.
func writeEmbeddings(info form.Info, packed bool, e *form.Embeddings) []byte {
	type usage struct {
		Prompt int64 `json:"prompt_tokens"`
		Total  int64 `json:"total_tokens"`
	}
	list := struct {
		Object string          `json:"object"`
		Data   []writtenVector `json:"data"`
		Model  string          `json:"model"`
		Usage  usage           `json:"usage"`
	}{Object: "list", Data: make([]writtenVector, len(e.Vectors)), Model: info.Model}
	for i, v := range e.Vectors {
		list.Data[i] = writtenVector{Object: "embedding", Index: i, Embedding: writeVector(v, packed)}
	}
	tokens := e.Usage.Total()
	list.Usage = usage{tokens, tokens}
	return mustJSON(list)
}

// writeVector renders one vector as numbers, or packed: as base64 of
// little-endian floats.
func writeVector(v form.Vector, packed bool) json.RawMessage {
	if !packed {
		return mustJSON([]float32(v))
	}
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return mustJSON(base64.StdEncoding.EncodeToString(b))
}

// unpack is the inverse of writeVector for packed vectors.
func unpack(text string) (form.Vector, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return nil, false
	}
	v := make(form.Vector, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if f := float64(v[i]); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, false
		}
	}
	return v, true
}
