package anthropic

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// longestTool is the longest name of a tool that the API takes.
const longestTool = 128

type toolChoice struct {
	Type                   string `json:"type"`
	Name                   string `json:"name,omitempty"`
	DisableParallelToolUse bool   `json:"disable_parallel_tool_use,omitempty"`
}

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
			e.out.Tools = append(e.out.Tools, e.function(t))
		}
	}
	if len(e.out.Tools) == 0 {
		e.toolsOfHistory()
	}
	return nil
}

// function writes one tool of the client. One of free text becomes one with a
// single text.
func (e *encoder) function(t *form.Tool) block {
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
	f := function(name, description, schema)
	if strict {
		f["strict"] = true
	}
	return f.mark(t.Cache)
}

// function is the declaration of a tool.
func function(name, description string, schema json.RawMessage) block {
	b := block{"name": name, "input_schema": schema}
	if description != "" {
		b["description"] = description
	}
	return b
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
			e.out.Tools = append(e.out.Tools, function(e.target.ToolName(p.Call.Name, longestTool, ""), "", emptySchema))
		}
	}
	if len(seen) > 0 {
		e.out.ToolChoice = &toolChoice{Type: "none"}
	}
}

// toolChoice writes which tools are called.
func (e *encoder) toolChoice() error {
	c := &e.chat.Choice
	must := c.Mode == form.ToolRequired || c.Mode == form.ToolNamed
	if len(e.out.Tools) == 0 || e.out.ToolChoice != nil {
		if must {
			return form.Refuse(c.Field, "a tool must be called, but the request has none that the provider of this model can call")
		}
		return nil
	}
	switch c.Mode {
	case form.ToolAuto:
		e.out.ToolChoice = &toolChoice{Type: "auto"}
	case form.ToolNone:
		e.out.ToolChoice = &toolChoice{Type: "none"}
	case form.ToolRequired:
		e.out.ToolChoice = &toolChoice{Type: "any"}
	case form.ToolNamed:
		e.out.ToolChoice = &toolChoice{Type: "tool", Name: e.target.ToolName(c.Name, longestTool, "")}
	}
	return e.serial()
}

// serial forbids several calls at once, if the client did.
func (e *encoder) serial() error {
	if e.chat.Parallel == nil || *e.chat.Parallel {
		return nil
	}
	if e.out.ToolChoice == nil {
		e.out.ToolChoice = &toolChoice{Type: "auto"}
	}
	e.out.ToolChoice.DisableParallelToolUse = e.out.ToolChoice.Type != "none"
	return nil
}
