package gemini

import (
	"net/url"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// EncodeChat implements [form.Back].
func (p *plan) EncodeChat(c *form.Chat, t *form.Target) (form.Encoded, error) {
	body, err := p.request(c, t)
	if err != nil {
		return form.Encoded{}, err
	}
	verb := verbGenerate
	if c.Stream {
		verb = verbStream + "?alt=sse"
	}
	return form.Encoded{Path: modelPath(t.Model) + ":" + verb, Body: mustJSON(body)}, nil
}

// EncodeCount implements [form.Counter]. The request is wrapped whole, so that
// instructions and tools count, too; its model has to be named again.
func (p *plan) EncodeCount(c *form.Chat, t *form.Target) (form.Encoded, error) {
	body, err := p.request(c, t)
	if err != nil {
		return form.Encoded{}, err
	}
	type wrapped struct {
		Model string `json:"model"`
		*request
	}
	doc := mustJSON(struct {
		Request wrapped `json:"generateContentRequest"`
	}{wrapped{modelName(t.Model), body}})
	return form.Encoded{Path: modelPath(t.Model) + ":" + verbCount, Body: doc}, nil
}

// request writes a conversation.
func (p *plan) request(c *form.Chat, t *form.Target) (*request, error) {
	e := encoder{chat: c, target: t, family: familyOf(t.Model), lower: p.lower}
	for _, write := range []func() error{e.tools, e.choice, e.turns, e.generation, e.rest} {
		if err := write(); err != nil {
			return nil, err
		}
	}
	return &e.out, nil
}

// encoder writes one request.
type encoder struct {
	chat   *form.Chat
	target *form.Target
	family family
	// lower tells that tools and formats are written in Google's own dialect of
	// schemas instead of in JSON Schema.
	lower bool
	out   request
	// waiting are calls without a result so far, in order.
	waiting []form.Call
}

// rest drops what has no place.
func (e *encoder) rest() error {
	c, t := e.chat, e.target
	if c.User != "" {
		if err := t.Drop("user", ""); err != nil {
			return err
		}
	}
	if c.Parallel != nil && !*c.Parallel && len(e.out.Tools) > 0 {
		if err := t.Drop("parallel_tool_calls", ""); err != nil {
			return err
		}
	}
	return t.DropExtras(c.Extras, nil)
}

// modelName is a model's name as bodies have it.
func modelName(model string) string {
	if strings.Contains(model, "/") {
		return model
	}
	return "models/" + model
}

// modelPath is the path of a model; one that names its collection stays there.
func modelPath(model string) string {
	segments := strings.Split(modelName(model), "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return "/" + strings.Join(segments, "/")
}

// family is what models of one kind have in common.
type family byte

// The families.
const (
	// familyOther are models that do not think, or that nothing is known of.
	familyOther family = iota
	// familyBudget think within a budget of tokens (Gemini 2.5).
	familyBudget
	// familyLevel think at a level, demand their signatures back and look at
	// pictures in the answers of tools (Gemini 3 and later).
	familyLevel
)

// familyOf tells a model's family from its name.
func familyOf(model string) family {
	name := model[strings.LastIndexByte(model, '/')+1:]
	version, ok := strings.CutPrefix(name, "gemini-")
	switch {
	case !ok:
		return familyOther
	case strings.HasPrefix(version, "2.5"):
		return familyBudget
	case version != "" && version[0] >= '3' && version[0] <= '9':
		return familyLevel
	case strings.HasSuffix(version, "-latest"):
		return familyBudget // every model that thinks takes a budget
	}
	return familyOther
}
