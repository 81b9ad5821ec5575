package anthropic

import (
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// Surface is Anthropic's API as clients see it. The zero value is ready.
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
	Type           string `json:"type"`
	ID             string `json:"id"`
	DisplayName    string `json:"display_name"`
	CreatedAt      string `json:"created_at"`
	MaxInputTokens int64  `json:"max_input_tokens,omitempty"`
	MaxTokens      int64  `json:"max_tokens,omitempty"`
}

// describe renders what Anthropic says of a model.
func describe(m *sluice.Model) model {
	created := m.CreatedAt
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	return model{
		Type: "model", ID: m.Name, DisplayName: m.Name, CreatedAt: created.UTC().Format(time.RFC3339),
		MaxInputTokens: m.ContextWindow, MaxTokens: m.MaxOutputTokens,
	}
}

// Models implements [dialect.Surface]. The list is always whole: it fits one
// page, whatever limit, before_id and after_id say.
func (Surface) Models(models []*sluice.Model) []byte {
	list := struct {
		Data    []model `json:"data"`
		HasMore bool    `json:"has_more"`
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
	}{Data: make([]model, len(models))}
	for i, m := range models {
		list.Data[i] = describe(m)
	}
	if n := len(models); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	}
	return mustJSON(list)
}

// Model implements [dialect.Surface].
func (Surface) Model(m *sluice.Model) []byte { return mustJSON(describe(m)) }
