package responses

import (
	"encoding/json"
	"slices"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// reader reads one body into a conversation.
type reader struct {
	chat form.Chat
	// instructions come before the input, wherever they stand in the body.
	instructions, input, choice json.RawMessage
	user, safety                string
	// grouped are the tools that the client put into namespaces, by the name
	// under which others know them.
	grouped map[string]grouped
	// calls are those of the input by id.
	calls map[string]*call
	// proof is the signature of the call that follows.
	proof form.Signature
}

// grouped is a tool of a namespace.
type grouped struct{ namespace, name string }

// call is a call of the input that waits for its output.
type call struct {
	name, field string
	custom      bool
	answered    bool
}

// read decodes a body that passed [Inspect].
func (r *reader) read(body []byte) error {
	members := jsonscan.Document(body)
	for members.Next() {
		v := members.Value()
		if !given(v) {
			continue
		}
		name := string(members.Key())
		if err := r.member(name, v.In(body)); err != nil {
			return err
		}
	}
	if err := members.Err(); err != nil {
		return invalid("", "%s", err.Error())
	}
	return r.resolve()
}

// resolve reads what depends on other members.
func (r *reader) resolve() error {
	r.nameUser()
	if r.instructions != nil {
		if err := r.readInstructions(); err != nil {
			return err
		}
	}
	if err := r.readInput(r.input); err != nil {
		return err
	}
	if r.choice == nil {
		return nil
	}
	return r.readChoice(r.choice)
}

// nameUser tells who the end user is; of two names, one stays an extra.
func (r *reader) nameUser() {
	switch {
	case r.user == "":
		r.chat.User = r.safety
	case r.safety == "" || r.safety == r.user:
		r.chat.User = r.user
	default:
		r.chat.User = r.user
		r.chat.Extras = append(r.chat.Extras, form.Extra{Name: "safety_identifier", Value: mustJSON(r.safety)})
	}
}

// member reads one top-level member.
func (r *reader) member(name string, raw json.RawMessage) error {
	c := &r.chat
	switch name {
	case "model":
		return decode(raw, &c.Model, "/model")
	case "stream":
		return decode(raw, &c.Stream, "/stream")
	case "store", "background":
		return nil // false, or it would have been refused
	case "instructions":
		r.instructions = raw
	case "input":
		r.input = raw
	case "tools":
		return r.readTools(raw, "/tools")
	case "tool_choice":
		r.choice = raw
	case "parallel_tool_calls":
		return decode(raw, &c.Parallel, "/parallel_tool_calls")
	case "reasoning":
		return r.readReasoning(raw)
	case "text":
		return r.readText(raw)
	case "max_output_tokens":
		return decode(raw, &c.MaxTokens, "/max_output_tokens")
	case "temperature":
		return decode(raw, &c.Sampling.Temperature, "/temperature")
	case "top_p":
		return decode(raw, &c.Sampling.TopP, "/top_p")
	case "top_logprobs":
		return decode(raw, &c.Sampling.TopLogprobs, "/top_logprobs")
	case "include":
		return r.readInclude(raw)
	case "user":
		return decode(raw, &r.user, "/user")
	case "safety_identifier":
		return decode(raw, &r.safety, "/safety_identifier")
	default:
		return r.extra(name, raw)
	}
	return nil
}

// habits are values that only say what happens anyway.
var habits = map[string][]string{
	"truncation":     {`"disabled"`},
	"service_tier":   {`"auto"`, `"default"`},
	"metadata":       {`{}`},
	"stream_options": {`{}`, `{"include_obfuscation":false}`, `{"include_obfuscation":true}`},
}

// extra keeps a member that the form has no place for, unless it says nothing.
func (r *reader) extra(name string, raw json.RawMessage) error {
	if slices.Contains(habits[name], string(compact(raw))) {
		return nil
	}
	r.chat.Extras = append(r.chat.Extras, form.Extra{Name: name, Value: raw})
	return nil
}

func (r *reader) readInstructions() error {
	var text string
	if err := decode(r.instructions, &text, "/instructions"); err != nil {
		return err
	}
	if text == "" {
		return nil
	}
	part := form.Part{Kind: form.PartText, Text: text, Field: "/instructions"}
	r.chat.Turns = append(r.chat.Turns, form.Turn{Role: form.RoleSystem, Parts: []form.Part{part}, Field: "/instructions"})
	return nil
}

// readReasoning reads effort and summary; anything else of it is an extra.
func (r *reader) readReasoning(raw json.RawMessage) error {
	var members map[string]json.RawMessage
	if err := decode(raw, &members, "/reasoning"); err != nil {
		return err
	}
	to := &r.chat.Reasoning
	to.Field = "/reasoning"
	for _, name := range sortedKeys(members) {
		switch value := members[name]; name {
		case "effort":
			if err := decode(value, &to.Effort, "/reasoning/effort"); err != nil {
				return err
			}
		case "summary", "generate_summary":
			var kind *string
			if err := decode(value, &kind, "/reasoning/"+name); err != nil {
				return err
			}
			if kind != nil {
				shown := true
				to.Shown = &shown
			}
		default:
			if string(value) != "null" {
				r.chat.Extras = append(r.chat.Extras, form.Extra{Name: "reasoning." + name, Value: value})
			}
		}
	}
	return nil
}

// readText reads the format of the answer; verbosity is an extra.
func (r *reader) readText(raw json.RawMessage) error {
	var text struct {
		Format    *wireFormat     `json:"format"`
		Verbosity json.RawMessage `json:"verbosity"`
	}
	if err := decode(raw, &text, "/text"); err != nil {
		return err
	}
	if len(text.Verbosity) > 0 && string(text.Verbosity) != "null" {
		r.chat.Extras = append(r.chat.Extras, form.Extra{Name: "text.verbosity", Value: text.Verbosity})
	}
	if text.Format == nil {
		return nil
	}
	f := text.Format
	switch f.Type {
	case "text":
	case "json_object":
		r.chat.Format = form.Format{Kind: form.FormatJSON, Field: "/text/format"}
	case "json_schema":
		if !isObject(f.Schema) {
			return invalid("/text/format/schema", "schema must be an object")
		}
		r.chat.Format = form.Format{
			Kind: form.FormatSchema, Name: f.Name, Description: f.Description, Schema: f.Schema, Strict: f.Strict, Field: "/text/format",
		}
	default:
		return invalid("/text/format/type", "type must be text, json_object or json_schema")
	}
	return nil
}

// readInclude notes what an answer should hold besides; sealed reasoning is
// always in it.
func (r *reader) readInclude(raw json.RawMessage) error {
	var names, rest []string
	if err := decode(raw, &names, "/include"); err != nil {
		return err
	}
	for _, name := range names {
		switch name {
		case "reasoning.encrypted_content":
		case "message.output_text.logprobs":
			r.chat.Sampling.Logprobs = true
		default:
			rest = append(rest, name)
		}
	}
	if len(rest) > 0 {
		r.chat.Extras = append(r.chat.Extras, form.Extra{Name: "include", Value: mustJSON(rest)})
	}
	return nil
}
