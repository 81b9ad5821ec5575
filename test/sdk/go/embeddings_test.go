package sdktest

import (
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"
)

// TestEmbeddingsEverywhere embeds texts in their order by either provider, in
// both encodings, and fails where a provider has none.
func TestEmbeddingsEverywhere(t *testing.T) {
	needTargets(t)
	c := client(t, "SLUICE_TEST_KEY")
	for _, model := range []string{"openai-embed", "gemini-embed"} {
		for _, format := range []openai.EmbeddingNewParamsEncodingFormat{"", "float"} {
			got, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: model, EncodingFormat: format,
				Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}}})
			if err != nil {
				t.Errorf("%s: %v", model, err)
				continue
			}
			for i, e := range got.Data {
				if want := []float64{float64(i), 0.5, -0.25}; !slices.Equal(e.Embedding, want) {
					t.Errorf("%s: %v, want %v", model, e.Embedding, want)
				}
			}
		}
	}
	_, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "anthropic-chat",
		Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("one")}})
	if status, message := openAIFault(err); status < 400 || status == 500 || message == "" {
		t.Errorf("a provider without embeddings: %v", err)
	}
}
