package openai

import (
	"encoding/json"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// Surface is OpenAI's API as clients see it. The zero value is ready.
type Surface struct{}

var _ dialect.Surface = Surface{}

// Name returns [Name].
func (Surface) Name() string { return Name }

// Operation implements [dialect.Surface] for the paths below /v1.
func (Surface) Operation(method, path string) (dialect.Operation, error) {
	return operation(method, path)
}

// ReadsBody reports true: the model is named in the body.
func (Surface) ReadsBody() bool { return true }

// Ask implements [dialect.Surface].
func (Surface) Ask(op dialect.Operation, h *sluice.Head, body []byte) (*dialect.Ask, error) {
	return newAsk(op, h, body)
}

// model is one entry of the list of models.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// describe renders what OpenAI says of a model. Who owns it is the gateway, as
// far as a client is concerned: which provider serves it may change any minute.
func describe(m *sluice.Model) model {
	created := int64(0)
	if !m.CreatedAt.IsZero() {
		created = m.CreatedAt.Unix()
	}
	return model{ID: m.Name, Object: "model", Created: created, OwnedBy: "sluice"}
}

// Models implements [dialect.Surface].
func (Surface) Models(models []*sluice.Model) []byte {
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list", Data: make([]model, len(models))}
	for i, m := range models {
		list.Data[i] = describe(m)
	}
	return mustJSON(list)
}

// Model implements [dialect.Surface].
func (Surface) Model(m *sluice.Model) []byte { return mustJSON(describe(m)) }

// mustJSON encodes values of this package's own types, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("openai: encoding an own type: " + err.Error())
	}
	return b
}
