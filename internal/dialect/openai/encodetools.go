package openai

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// writtenTool is one element of tools.
type writtenTool struct {
	Type     string          `json:"type"`
	Function *writtenDeclare `json:"function,omitempty"`
	Custom   *writtenDeclare `json:"custom,omitempty"`
	Cache    *writtenCache   `json:"cache_control,omitempty"`
}

// writtenDeclare declares a function or a custom tool.
type writtenDeclare struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      *bool           `json:"strict,omitempty"`
	Format      json.RawMessage `json:"format,omitempty"`
}

// writtenNamed names a tool.
type writtenNamed struct {
	Type     string      `json:"type"`
	Function *nameObject `json:"function,omitempty"`
	Custom   *nameObject `json:"custom,omitempty"`
}

type nameObject struct {
	Name string `json:"name"`
}

// customInput is the argument in which free text travels, textArgument the
// schema of a function that takes it.
const customInput = "input"

var textArgument = json.RawMessage(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`)

// noArguments is the schema of a function that takes none.
var noArguments = json.RawMessage(`{"type":"object","properties":{}}`)

// tools writes the tools and how they are chosen.
func (e *chatEncoder) tools() error {
	choice := &e.chat.Choice
	if choice.Mode == form.ToolNone && !e.quirks.choice {
		return nil // without tools none can be called
	}
	for i := range e.chat.Tools {
		t := &e.chat.Tools[i]
		if len(choice.Allowed) > 0 && !e.quirks.allowed && !slices.Contains(choice.Allowed, t.Name) {
			continue // leaving the others out says the same
		}
		if err := e.tool(t); err != nil {
			return err
		}
	}
	if len(e.body.Tools) == 0 {
		if choice.Mode == form.ToolRequired || choice.Mode == form.ToolNamed {
			return form.Refuse(choice.Field, "the provider of this model has none of the tools to choose from")
		}
		return nil
	}
	if err := e.parallel(); err != nil {
		return err
	}
	return e.toolChoice()
}

// tool writes one tool.
func (e *chatEncoder) tool(t *form.Tool) error {
	switch {
	case t.Server != "" && e.chat.Choice.Mode == form.ToolNamed && e.chat.Choice.Name == t.Name && t.Name != "":
		return form.Refuse(t.Field, "the provider of this model does not run the tool %s, which must be called", t.Server)
	case t.Server != "":
		return e.target.Drop("tools."+t.Server, t.Field)
	}
	d := &writtenDeclare{Name: e.toolName(t.Name), Description: t.Description}
	w := writtenTool{Type: "function", Function: d}
	switch {
	case t.Custom && e.quirks.custom:
		w, d.Format = writtenTool{Type: "custom", Custom: d}, t.Grammar
	case t.Custom:
		e.lowerCustom(d, t)
	default:
		if d.Parameters = t.Schema; d.Parameters == nil {
			d.Parameters = noArguments
		}
		if e.quirks.strict {
			d.Strict = t.Strict
		}
	}
	var err error
	w.Cache, err = e.cache(t.Cache, t.Field)
	e.body.Tools = append(e.body.Tools, w)
	return err
}

// longestTool is how long the name of a tool may be.
const longestTool = 64

// toolName is a tool's name as the protocol accepts it.
func (e *chatEncoder) toolName(name string) string { return e.target.ToolName(name, longestTool, "") }

// lowerCustom makes a function of a tool that takes free text: its one argument
// is that text.
func (e *chatEncoder) lowerCustom(d *writtenDeclare, t *form.Tool) {
	e.target.CustomTool(d.Name)
	d.Parameters = textArgument
	if len(t.Grammar) > 0 {
		d.Description = strings.TrimSpace(d.Description + "\n\nThe input has this format: " + string(t.Grammar))
	}
}

// parallel says whether several calls may be made at once.
func (e *chatEncoder) parallel() error {
	p := e.chat.Parallel
	switch {
	case p == nil || *p && !e.quirks.parallel:
		return nil
	case !e.quirks.parallel:
		return e.target.Drop("parallel_tool_calls", "")
	}
	e.body.Parallel = p
	return nil
}

// toolChoice says which tools are called.
func (e *chatEncoder) toolChoice() error {
	c := &e.chat.Choice
	switch c.Mode {
	case form.ToolAuto, form.ToolNone:
		if e.quirks.choice {
			e.body.ToolChoice = string(c.Mode)
		}
	case form.ToolRequired:
		if e.quirks.required {
			e.body.ToolChoice = "required"
			break
		}
		// One tool that must be called is as good as its name.
		if len(e.body.Tools) != 1 || !e.quirks.named {
			return form.Refuse(c.Field, "the provider of this model cannot be made to call a tool")
		}
		e.body.ToolChoice = named(&e.body.Tools[0])
	case form.ToolNamed:
		return e.namedChoice(c)
	}
	if len(c.Allowed) > 0 && e.quirks.allowed {
		e.body.ToolChoice = e.allowed(c)
	}
	return nil
}

// namedChoice says which one tool is called.
func (e *chatEncoder) namedChoice(c *form.ToolChoice) error {
	name := e.toolName(c.Name)
	for i := range e.body.Tools {
		t := &e.body.Tools[i]
		if t.declared().Name != name {
			continue
		}
		switch {
		case e.quirks.named:
			e.body.ToolChoice = named(t)
		case e.quirks.required:
			// It is named by being the only one.
			e.body.Tools, e.body.ToolChoice = []writtenTool{*t}, "required"
		default:
			return form.Refuse(c.Field, "the provider of this model cannot be made to call a tool")
		}
		return nil
	}
	return form.Refuse(c.Field, "the tool that must be called is not among the tools that the provider of this model knows")
}

func (t *writtenTool) declared() *writtenDeclare {
	if t.Custom != nil {
		return t.Custom
	}
	return t.Function
}

// named names a tool.
func named(t *writtenTool) writtenNamed {
	n := writtenNamed{Type: t.Type}
	if t.Custom != nil {
		n.Custom = &nameObject{t.Custom.Name}
	} else {
		n.Function = &nameObject{t.Function.Name}
	}
	return n
}

// allowed narrows the choice.
func (e *chatEncoder) allowed(c *form.ToolChoice) any {
	type inner struct {
		Mode  string         `json:"mode"`
		Tools []writtenNamed `json:"tools"`
	}
	in := inner{Mode: "auto"}
	if c.Mode == form.ToolRequired {
		in.Mode = "required"
	}
	for i := range e.body.Tools {
		t := &e.body.Tools[i]
		if client, _ := e.target.ClientTool(t.declared().Name); slices.Contains(c.Allowed, client) {
			in.Tools = append(in.Tools, named(t))
		}
	}
	return struct {
		Type    string `json:"type"`
		Allowed inner  `json:"allowed_tools"`
	}{"allowed_tools", in}
}

// writtenCache is a cache mark.
type writtenCache struct {
	Type string `json:"type"`
	TTL  string `json:"ttl,omitempty"`
}

// cache writes a mark where the provider takes them. Elsewhere prompts are
// cached without being asked to, or not at all.
func (e *chatEncoder) cache(mark form.Cache, field string) (*writtenCache, error) {
	switch {
	case mark == form.CacheNone:
		return nil, nil
	case !e.quirks.marks:
		return nil, e.target.Drop("cache_control", field)
	case mark == form.Cache1h:
		return &writtenCache{Type: "ephemeral", TTL: "1h"}, nil
	}
	return &writtenCache{Type: "ephemeral"}, nil
}
