package gemini

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// tools reads the list of tools: each holds declarations of functions, or a tool
// that the provider runs.
func (d *chatDecoder) tools(raw json.RawMessage, field string) error {
	return list(raw, field, maxTools, func(raw json.RawMessage, field string) error {
		v := jsonscan.At(raw, 0)
		if v.Kind != jsonscan.Object {
			return form.Refuse(field, "%s must be an object, not %s", field, v.Kind)
		}
		for m := v.Members(raw); m.Next(); {
			name, value := string(m.Key()), json.RawMessage(m.Value().In(raw))
			switch {
			case m.Value().Kind == jsonscan.Null:
			case name == "functionDeclarations":
				if err := list(value, field+"/"+name, maxTools, d.function); err != nil {
					return err
				}
			default:
				server := form.Tool{Server: name, Raw: mustJSON(map[string]json.RawMessage{name: value}), Field: field + "/" + name}
				d.chat.Tools = append(d.chat.Tools, server)
			}
		}
		return nil
	})
}

// function reads one declaration.
func (d *chatDecoder) function(raw json.RawMessage, field string) error {
	var f function
	if err := decode(raw, field, &f); err != nil {
		return err
	}
	if f.Name == "" {
		return form.Refuse(field+"/name", "name is required")
	}
	if len(d.chat.Tools) >= maxTools {
		return form.Refuse(field, "there are more than %d tools", maxTools)
	}
	tool := form.Tool{Name: f.Name, Description: f.Description, Field: field}
	switch {
	case len(f.Parameters) > 0 && len(f.ParametersJSONSchema) > 0:
		return form.Refuse(field+"/parametersJsonSchema", "parameters and parametersJsonSchema exclude each other")
	case len(f.Parameters) > 0 && string(f.Parameters) != "null":
		schema, err := jsonSchema(f.Parameters, field+"/parameters")
		if err != nil {
			return err
		}
		tool.Schema = schema
	case len(f.ParametersJSONSchema) > 0 && string(f.ParametersJSONSchema) != "null":
		tool.Schema = f.ParametersJSONSchema
	}
	if kind := jsonscan.At(tool.Schema, 0).Kind; len(tool.Schema) > 0 && kind != jsonscan.Object {
		return form.Refuse(field+"/parametersJsonSchema", "a schema must be an object, not %s", kind)
	}
	d.chat.Tools = append(d.chat.Tools, tool)
	return nil
}

// toolConfig reads which tools are called.
func (d *chatDecoder) toolConfig(raw json.RawMessage, field string) error {
	var c struct {
		FunctionCallingConfig callingConfig `json:"functionCallingConfig"`
	}
	if err := decode(raw, field, &c); err != nil {
		return err
	}
	for m := jsonscan.Document(raw); m.Next(); {
		if name := string(m.Key()); name != "functionCallingConfig" {
			d.extra("toolConfig."+name, m.Value().In(raw))
		}
	}
	field += "/functionCallingConfig"
	choice := &d.chat.Choice
	choice.Field, choice.Allowed = field, c.FunctionCallingConfig.AllowedFunctionNames
	switch mode := c.FunctionCallingConfig.Mode; mode {
	case "", "MODE_UNSPECIFIED":
	case modeAuto:
		choice.Mode = form.ToolAuto
	case modeNone:
		choice.Mode = form.ToolNone
	case modeValidated:
		// Other protocols promise adherence by the tool, not by the request.
		choice.Mode = form.ToolAuto
		d.extra("toolConfig.functionCallingConfig.mode", json.RawMessage(`"VALIDATED"`))
	case modeAny:
		choice.Mode = form.ToolRequired
		if len(choice.Allowed) == 1 {
			choice.Mode, choice.Name, choice.Allowed = form.ToolNamed, choice.Allowed[0], nil
		}
	default:
		return form.Refuse(field+"/mode", "mode %q must be AUTO, ANY, NONE or VALIDATED", clip(mode))
	}
	return nil
}
