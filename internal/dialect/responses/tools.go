package responses

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// readTools reads a list of tools.
func (r *reader) readTools(raw json.RawMessage, field string) error {
	var list []json.RawMessage
	if err := decode(raw, &list, field); err != nil {
		return err
	}
	for i, element := range list {
		if err := r.readTool(element, "", field+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	if len(r.chat.Tools) > maxTools {
		return invalid(field, "tools holds more than %d tools", maxTools)
	}
	return nil
}

// readMoreTools reads the tools of an item of the input, which count as if they
// stood at the top: others know no tools that come in the middle. One that was
// declared before is declared anew.
func (r *reader) readMoreTools(raw json.RawMessage, field string) error {
	before := r.chat.Tools
	r.chat.Tools = nil
	if err := r.readTools(raw, field); err != nil {
		return err
	}
	before = slices.DeleteFunc(before, func(t form.Tool) bool { return t.Server == "" && r.find(t.Name) != nil })
	r.chat.Tools = append(before, r.chat.Tools...)
	if len(r.chat.Tools) > maxTools {
		return invalid(field, "tools holds more than %d tools", maxTools)
	}
	return nil
}

// readTool reads one tool, of a namespace if it is in one.
func (r *reader) readTool(raw json.RawMessage, namespace, field string) error {
	var kind struct{ Type string }
	if err := decode(raw, &kind, field); err != nil {
		return err
	}
	switch kind.Type {
	case "":
		return invalid(field+"/type", "type is required")
	case "function", "custom", "namespace":
	default:
		r.chat.Tools = append(r.chat.Tools, form.Tool{Server: kind.Type, Raw: raw, Field: field})
		return nil
	}
	var t tool
	if err := decode(raw, &t, field); err != nil {
		return err
	}
	if t.Name == "" {
		return invalid(field+"/name", "name is required")
	}
	if t.Type == "namespace" {
		return r.readNamespace(&t, namespace, field)
	}
	read := form.Tool{Name: joined(namespace, t.Name), Description: t.Description, Strict: t.Strict, Field: field}
	if r.find(read.Name) != nil {
		return invalid(field+"/name", "another tool has this name")
	}
	if t.Type == "custom" {
		read.Custom, read.Grammar = true, nested(t.Format)
	} else if given := len(t.Parameters) > 0 && string(t.Parameters) != "null"; given {
		if !isObject(t.Parameters) {
			return invalid(field+"/parameters", "parameters must be an object")
		}
		read.Schema = t.Parameters
	}
	if namespace != "" {
		r.group(read.Name, grouped{namespace, t.Name})
	}
	r.chat.Tools = append(r.chat.Tools, read)
	return nil
}

// readNamespace reads the tools of a namespace, which nobody else knows: their
// names are joined with its own.
func (r *reader) readNamespace(t *tool, outer, field string) error {
	if outer != "" {
		return invalid(field, "a namespace must not hold another")
	}
	for i, element := range t.Tools {
		if err := r.readTool(element, t.Name, field+"/tools/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) group(name string, g grouped) {
	if r.grouped == nil {
		r.grouped = map[string]grouped{}
	}
	r.grouped[name] = g
}

// joined is the name under which others know a tool of a namespace.
func joined(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "__" + name
}

// find returns the client's own tool of that name, nil if there is none.
func (r *reader) find(name string) *form.Tool {
	i := slices.IndexFunc(r.chat.Tools, func(t form.Tool) bool { return t.Server == "" && t.Name == name })
	if i < 0 {
		return nil
	}
	return &r.chat.Tools[i]
}

// grammar is the format of a custom tool: flat here, nested in chats, which is
// the shape that the form keeps.
type grammar struct {
	Type       string       `json:"type"`
	Syntax     string       `json:"syntax,omitempty"`
	Definition string       `json:"definition,omitempty"`
	Grammar    *grammarText `json:"grammar,omitempty"`
}

type grammarText struct {
	Syntax     string `json:"syntax"`
	Definition string `json:"definition"`
}

// nested turns a flat format into a nested one; free text is none.
func nested(format json.RawMessage) json.RawMessage {
	var g grammar
	if json.Unmarshal(format, &g) != nil || g.Type != "grammar" {
		return nil
	}
	return mustJSON(grammar{Type: g.Type, Grammar: &grammarText{g.Syntax, g.Definition}})
}

// flat is the inverse of nested.
func flat(format json.RawMessage) json.RawMessage {
	var g grammar
	if json.Unmarshal(format, &g) != nil || g.Type != "grammar" {
		return nil
	}
	if g.Grammar != nil {
		g.Syntax, g.Definition, g.Grammar = g.Grammar.Syntax, g.Grammar.Definition, nil
	}
	return mustJSON(g)
}

// choice is a tool_choice that is an object.
type choice struct {
	Type      string   `json:"type"`
	Mode      string   `json:"mode,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name,omitempty"`
	Tools     []choice `json:"tools,omitempty"`
}

// readChoice reads tool_choice, after the tools.
func (r *reader) readChoice(raw json.RawMessage) error {
	to := &r.chat.Choice
	to.Field = "/tool_choice"
	if !isObject(raw) {
		var mode string
		if err := decode(raw, &mode, "/tool_choice"); err != nil {
			return err
		}
		if mode != "auto" && mode != "none" && mode != "required" {
			return invalid("/tool_choice", "tool_choice must be auto, none, required or an object")
		}
		to.Mode = form.ToolMode(mode)
		return nil
	}
	var c choice
	if err := decode(raw, &c, "/tool_choice"); err != nil {
		return err
	}
	switch c.Type {
	case "function", "custom":
		to.Mode, to.Name = form.ToolNamed, joined(c.Namespace, c.Name)
		if r.find(to.Name) == nil {
			return invalid("/tool_choice/name", "tools holds no tool named %q", to.Name)
		}
		return nil
	case "allowed_tools":
		return r.readAllowed(&c)
	}
	return form.Refuse("/tool_choice", "the tool %s is run by OpenAI; the provider of this model has none, so that it cannot be required", c.Type)
}

// readAllowed reads a choice among some of the tools.
func (r *reader) readAllowed(c *choice) error {
	to := &r.chat.Choice
	switch c.Mode {
	case "auto", "required":
		to.Mode = form.ToolMode(c.Mode)
	default:
		return invalid("/tool_choice/mode", "mode must be auto or required")
	}
	for i, t := range c.Tools {
		if t.Type != "function" && t.Type != "custom" {
			continue
		}
		name := joined(t.Namespace, t.Name)
		if r.find(name) == nil {
			return invalid("/tool_choice/tools/"+strconv.Itoa(i)+"/name", "tools holds no tool named %q", name)
		}
		to.Allowed = append(to.Allowed, name)
	}
	switch {
	case len(to.Allowed) > 0:
	case to.Mode == form.ToolRequired:
		return form.Refuse("/tool_choice", "only tools that OpenAI runs are allowed; the provider of this model has none of them")
	default:
		to.Mode = form.ToolNone
	}
	return nil
}
