package anthropic

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// longestTool is the longest name of a tool that the API takes.
const longestTool = 128

// tools writes the functions that may be called. Those that are not allowed are
// left out, which is what not allowing them means.
func (e *encoder) tools() error {
	for i := range e.chat.Tools {
		t := &e.chat.Tools[i]
		if t.Server != "" {
			if err := e.serverTool(t); err != nil {
				return err
			}
			continue
		}
		if allowed := e.chat.Choice.Allowed; len(allowed) == 0 || slices.Contains(allowed, t.Name) {
			e.out.tools = append(e.out.tools, e.function(t))
		}
	}
	if len(e.out.tools) == 0 {
		e.toolsOfHistory()
	}
	return nil
}

// function writes one tool of the client. One of free text becomes one with a
// single text.
func (e *encoder) function(t *form.Tool) tool {
	name, description, schema := e.target.ToolName(t.Name, longestTool, ""), t.Description, objectSchema(t.Schema)
	strict := t.Strict != nil && *t.Strict && e.version.formats() && !t.Custom
	switch {
	case t.Custom:
		e.target.CustomTool(name)
		schema = customSchema
		if len(t.Grammar) > 0 {
			description = strings.TrimSpace(description + "\n\nThe input has this format: " + string(t.Grammar))
		}
	case strict:
		schema = strictSchema(schema)
	}
	return tool{name: name, description: description, schema: schema, strict: strict, cache: t.Cache}
}

// customSchema is that of tools of free text, customInput the member with it.
var customSchema = json.RawMessage(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`)

const customInput = "input"

// serverTool drops a tool that another provider runs, unless it has to be
// called.
func (e *encoder) serverTool(t *form.Tool) error {
	c := &e.chat.Choice
	if c.Mode == form.ToolNamed && (c.Name == t.Server || c.Name == t.Name) || c.Mode == form.ToolRequired && len(e.chat.Tools) == 1 {
		return form.Refuse(t.Field, "the tool %q is run by another provider than that of this model", clip(t.Server))
	}
	return e.target.Drop("tools."+clip(t.Server), t.Field)
}

// toolsOfHistory declares the tools that were called before, when the request
// declares none: the API refuses calls of tools that it does not know. The tool
// choice keeps the model from calling them.
func (e *encoder) toolsOfHistory() {
	seen := map[string]bool{}
	for i := range e.chat.Turns {
		for _, p := range e.chat.Turns[i].Parts {
			if p.Kind != form.PartCall || seen[p.Call.Name] {
				continue
			}
			seen[p.Call.Name] = true
			e.out.tools = append(e.out.tools, tool{name: e.target.ToolName(p.Call.Name, longestTool, ""), schema: emptySchema})
		}
	}
	if len(seen) > 0 {
		e.out.toolChoice = &toolChoice{kind: "none"}
	}
}

// toolChoice writes which tools are called.
func (e *encoder) toolChoice() error {
	c := &e.chat.Choice
	must := c.Mode == form.ToolRequired || c.Mode == form.ToolNamed
	if len(e.out.tools) == 0 || e.out.toolChoice != nil {
		if must {
			return form.Refuse(c.Field, "a tool must be called, but the request has none that the provider of this model can call")
		}
		return nil
	}
	switch c.Mode {
	case form.ToolAuto:
		e.out.toolChoice = &toolChoice{kind: "auto"}
	case form.ToolNone:
		e.out.toolChoice = &toolChoice{kind: "none"}
	case form.ToolRequired:
		e.out.toolChoice = &toolChoice{kind: "any"}
	case form.ToolNamed:
		e.out.toolChoice = &toolChoice{kind: "tool", name: e.target.ToolName(c.Name, longestTool, "")}
	}
	return e.serial()
}

// serial forbids several calls at once, if the client did.
func (e *encoder) serial() error {
	if e.chat.Parallel == nil || *e.chat.Parallel {
		return nil
	}
	if e.out.toolChoice == nil {
		e.out.toolChoice = &toolChoice{kind: "auto"}
	}
	e.out.toolChoice.serial = e.out.toolChoice.kind != "none"
	return nil
}
