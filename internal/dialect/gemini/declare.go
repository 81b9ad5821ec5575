package gemini

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// Names of functions, as Google takes them: letters, digits and these, at most
// so many bytes, beginning with a letter or an underscore.
const (
	maxToolName  = 64
	toolNameAlso = ".:"
)

// toolName is the name of a tool as the provider is told it.
func (e *encoder) toolName(name string) string {
	return e.target.ToolWord(name, maxToolName, toolNameAlso)
}

// customInput is the one argument of the function that stands for a tool of free
// text.
const customInput = "input"

// customSchema is its schema.
var customSchema = json.RawMessage(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`)

// tools declares the tools.
func (e *encoder) tools() error {
	var functions []function
	for i := range e.chat.Tools {
		tool := &e.chat.Tools[i]
		if err := e.cacheMark(tool.Cache, tool.Field); err != nil {
			return err
		}
		if tool.Server != "" {
			if err := e.server(tool); err != nil {
				return err
			}
			continue
		}
		if tool.Strict != nil && *tool.Strict {
			if err := e.target.Drop("strict", tool.Field); err != nil {
				return err
			}
		}
		f, err := e.function(tool)
		if err != nil {
			return err
		}
		functions = append(functions, f)
	}
	if len(functions) > 0 {
		declared := mustJSON(struct {
			Functions []function `json:"functionDeclarations"`
		}{functions})
		e.out.Tools = append([]json.RawMessage{declared}, e.out.Tools...)
	}
	return nil
}

// server declares a tool that the provider runs, if it is one of Google's. To
// leave one out that has to be called would change what was asked.
func (e *encoder) server(tool *form.Tool) error {
	if googleTools[tool.Server] {
		e.out.Tools = append(e.out.Tools, tool.Raw)
		return nil
	}
	if c := e.chat.Choice; c.Mode == form.ToolNamed && (c.Name == tool.Server || c.Name == tool.Name) {
		return form.Refuse(c.Field, "the tool %s, which another provider runs, cannot be called here", clip(tool.Server))
	}
	return e.target.Drop(tool.Server, tool.Field)
}

// googleTools are the tools that Google runs.
var googleTools = map[string]bool{
	"googleSearch": true, "googleSearchRetrieval": true, "codeExecution": true, "urlContext": true, "googleMaps": true,
	"computerUse": true,
}

// function declares a tool of the client's.
func (e *encoder) function(tool *form.Tool) (function, error) {
	f := function{Name: e.toolName(tool.Name), Description: tool.Description}
	schema := tool.Schema
	if tool.Custom {
		// A tool of free text becomes a function with that text as its argument.
		e.target.CustomTool(f.Name)
		schema = customSchema
		if len(tool.Grammar) > 0 {
			if err := e.target.Drop("format", tool.Field+"/format"); err != nil {
				return f, err
			}
		}
	}
	switch {
	case len(schema) == 0 || emptySchema(schema):
		// An object without properties is refused; none means the same.
	case e.lower:
		lowered, err := lowerSchema(schema, tool.Field)
		if err != nil {
			return f, err
		}
		f.Parameters = lowered
	default:
		f.ParametersJSONSchema = schema
	}
	return f, nil
}

// emptySchema reports whether a schema describes no arguments at all.
func emptySchema(schema json.RawMessage) bool {
	var s map[string]json.RawMessage
	if json.Unmarshal(schema, &s) != nil {
		return false
	}
	if len(s) == 0 {
		return true
	}
	var properties map[string]json.RawMessage
	if raw, ok := s["properties"]; ok && json.Unmarshal(raw, &properties) != nil {
		return false
	}
	for _, word := range [...]string{"$ref", "anyOf", "oneOf", "allOf", "patternProperties", "items"} {
		if _, ok := s[word]; ok {
			return false
		}
	}
	open, ok := s["additionalProperties"]
	return len(properties) == 0 && (!ok || string(open) == "false" || string(open) == "true" || string(open) == "{}")
}

// choice says which tools are called.
func (e *encoder) choice() error {
	c := e.chat.Choice
	hasFunctions := false
	for i := range e.chat.Tools {
		hasFunctions = hasFunctions || e.chat.Tools[i].Server == ""
	}
	config := callingConfig{}
	for _, name := range c.Allowed {
		config.AllowedFunctionNames = append(config.AllowedFunctionNames, e.toolName(name))
	}
	switch c.Mode {
	case form.ToolNone:
		config = callingConfig{Mode: modeNone}
	case form.ToolRequired:
		config.Mode = modeAny
	case form.ToolNamed:
		config = callingConfig{Mode: modeAny, AllowedFunctionNames: []string{e.toolName(c.Name)}}
	default:
		if len(c.Allowed) == 0 {
			return nil // what it does by itself
		}
		config.Mode = modeValidated // AUTO takes no names
	}
	if !hasFunctions {
		if config.Mode == modeAny {
			return form.Refuse(c.Field, "a call is required, but there is no function to call")
		}
		return nil
	}
	e.out.ToolConfig = &toolConfig{config}
	return nil
}
