package anthropic

import (
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Limits on what one request may hold.
const (
	maxTurns     = 10_000
	maxBlocks    = 10_000
	maxTools     = 2_000
	maxSequences = 8_192
	leastBudget  = 1_024
)

// reader decodes one request.
type reader struct {
	chat     *form.Chat
	root     node
	members  object
	counting bool
}

// get returns a top-level member.
func (r *reader) get(name string) node { return r.members.get(r.root, name) }

// known are the top-level members that the form has a place for.
var known = map[string]bool{
	"model": true, "max_tokens": true, "stream": true, "stop_sequences": true, "metadata": true,
	"temperature": true, "top_p": true, "top_k": true, "thinking": true, "output_config": true, "output_format": true,
	"tools": true, "tool_choice": true, "system": true, "messages": true,
}

// extras keeps what is left, so that it is named when it is dropped.
func (r *reader) extras() error {
	for _, m := range r.members {
		if !known[m.name] && m.given() {
			r.chat.Extras = append(r.chat.Extras, form.Extra{Name: m.name, Value: m.raw()})
		}
	}
	return nil
}

// limits reads the model, what bounds the answer, and who asked.
func (r *reader) limits() (err error) {
	if r.chat.Model, err = r.get("model").filled(); err != nil {
		return err
	}
	if n := r.get("max_tokens"); !r.counting || n.given() {
		if r.chat.MaxTokens, err = n.integer(1, maxTokens); err != nil {
			return err
		}
	}
	stream, err := r.get("stream").boolean()
	if err != nil {
		return err
	}
	r.chat.Stream = stream != nil && *stream
	if n := r.get("stop_sequences"); n.given() {
		if err := r.stops(n); err != nil {
			return err
		}
	}
	return r.metadata(r.get("metadata"))
}

func (r *reader) stops(n node) error {
	list, err := n.list(maxSequences)
	if err != nil {
		return err
	}
	for _, e := range list {
		s, err := e.filled()
		if err != nil {
			return err
		}
		r.chat.Stop = append(r.chat.Stop, s)
	}
	return nil
}

func (r *reader) metadata(n node) error {
	if !n.given() {
		return nil
	}
	members, err := n.object()
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.name == "user_id" {
			if r.chat.User, err = m.optional(); err != nil {
				return err
			}
		} else if m.given() {
			r.chat.Extras = append(r.chat.Extras, form.Extra{Name: "metadata." + m.name, Value: m.raw()})
		}
	}
	return nil
}

// sampling reads how tokens are chosen.
func (r *reader) sampling() (err error) {
	s := &r.chat.Sampling
	if s.Temperature, err = r.get("temperature").number(); err != nil {
		return err
	}
	if s.TopP, err = r.get("top_p").number(); err != nil {
		return err
	}
	if n := r.get("top_k"); n.given() {
		k, err := n.integer(0, maxTokens)
		if err != nil {
			return err
		}
		s.TopK = &k
	}
	return nil
}

// thinking reads how much the model thinks.
func (r *reader) thinking() error {
	n := r.get("thinking")
	if !n.given() {
		return nil
	}
	o, err := n.object()
	if err != nil {
		return err
	}
	kind, err := o.get(n, "type").text()
	if err != nil {
		return err
	}
	budget := int64(-1)
	switch kind {
	case "adaptive":
	case "disabled":
		budget = 0
	case "enabled":
		if budget, err = o.get(n, "budget_tokens").integer(leastBudget, maxTokens); err != nil {
			return err
		}
	default:
		return o.get(n, "type").invalid("%q is not enabled, disabled or adaptive", clip(kind))
	}
	r.chat.Reasoning = form.Reasoning{Budget: &budget, Field: n.field}
	return r.display(o.get(n, "display"))
}

// display reads whether thoughts are shown.
func (r *reader) display(n node) error {
	switch text, err := n.optional(); {
	case err != nil:
		return err
	case text == "":
	case text == "summarized" || text == "updates" || text == "omitted":
		shown := text != "omitted" // updates: while it thinks, for who watches
		r.chat.Reasoning.Shown = &shown
	default:
		return n.invalid("%q is not summarized, updates or omitted", clip(text))
	}
	return nil
}

// output reads the effort and the shape of the answer, the latter also where an
// earlier version of the API had it.
func (r *reader) output() error {
	if n := r.get("output_config"); n.given() {
		o, err := n.object()
		if err != nil {
			return err
		}
		for _, m := range o {
			if err := r.outputMember(m); err != nil {
				return err
			}
		}
	}
	if n := r.get("output_format"); n.given() {
		return r.format(n)
	}
	return nil
}

func (r *reader) outputMember(m member) error {
	switch {
	case !m.given():
		return nil
	case m.name == "effort":
		return r.effort(m.node)
	case m.name == "format":
		return r.format(m.node)
	}
	r.chat.Extras = append(r.chat.Extras, form.Extra{Name: "output_config." + m.name, Value: m.raw()})
	return nil
}

func (r *reader) effort(n node) error {
	effort, err := n.text()
	if err != nil {
		return err
	}
	switch effort {
	case "low", "medium", "high", "xhigh", "max":
	default:
		return n.invalid("%q is not low, medium, high, xhigh or max", clip(effort))
	}
	r.chat.Reasoning.Effort = effort
	if r.chat.Reasoning.Field == "" {
		r.chat.Reasoning.Field = n.field
	}
	return nil
}

// format reads the schema of the answer; this API always adheres to it exactly.
func (r *reader) format(n node) error {
	o, err := n.object()
	if err != nil {
		return err
	}
	kind := o.get(n, "type")
	if text, err := kind.text(); err != nil {
		return err
	} else if text != "json_schema" {
		return kind.invalid("%q is not json_schema", clip(text))
	}
	schema := o.get(n, "schema")
	if schema.value.Kind != jsonscan.Object {
		return schema.wants("an object")
	}
	strict := true
	r.chat.Format = form.Format{Kind: form.FormatSchema, Schema: schema.raw(), Strict: &strict, Field: n.field}
	return nil
}
