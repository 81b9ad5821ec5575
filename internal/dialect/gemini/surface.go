package gemini

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// Surface is the Gemini API as clients see it. The zero value is ready.
type Surface struct{}

var _ dialect.Surface = Surface{}

// Name returns [Name].
func (Surface) Name() string { return Name }

// Operation implements [dialect.Surface] for the paths below /v1beta and /v1.
func (Surface) Operation(method, path string) (dialect.Operation, error) {
	return operation(method, path)
}

// ReadsBody reports true: what a request costs is told by its body.
func (Surface) ReadsBody() bool { return true }

// Ask implements [dialect.Surface].
func (Surface) Ask(op dialect.Operation, h *sluice.Head, body []byte) (*dialect.Ask, error) {
	return newAsk(op, h, body)
}

// model is one entry of the list of models.
type model struct {
	Name             string   `json:"name"`
	BaseModelID      string   `json:"baseModelId"`
	Version          string   `json:"version"`
	DisplayName      string   `json:"displayName"`
	InputTokenLimit  int64    `json:"inputTokenLimit,omitempty"`
	OutputTokenLimit int64    `json:"outputTokenLimit,omitempty"`
	Methods          []string `json:"supportedGenerationMethods"`
}

// describe renders what Google says of a model.
func describe(m *sluice.Model) model {
	methods := []string{}
	if m.Does(dialect.OpChat) {
		methods = append(methods, verbGenerate, verbStream, verbCount)
	}
	if m.Does(dialect.OpEmbeddings) {
		methods = append(methods, verbEmbed, verbEmbedBatch)
	}
	return model{
		Name: "models/" + m.Name, BaseModelID: m.Name, Version: "001", DisplayName: m.Name,
		InputTokenLimit: m.ContextWindow, OutputTokenLimit: m.MaxOutputTokens, Methods: methods,
	}
}

// Models implements [dialect.Surface]. All of them are on one page, whatever
// size of page was asked for, so there is no token of a next one.
func (Surface) Models(models []*sluice.Model) []byte {
	list := struct {
		Models []model `json:"models"`
	}{make([]model, len(models))}
	for i, m := range models {
		list.Models[i] = describe(m)
	}
	return mustJSON(list)
}

// Model implements [dialect.Surface].
func (Surface) Model(m *sluice.Model) []byte { return mustJSON(describe(m)) }
