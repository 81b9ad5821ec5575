package anthropic

import "github.com/sluicegate/sluice/internal/dialect/form"

// answerTool is the tool whose input is the answer, on models that know formats
// only this way. The decoder turns its calls into text.
const answerTool = "sluice_answer"

// format writes the shape of the answer. A schema is adhered to natively, or
// through a tool; any JSON has no equivalent, and prompts that want it say so.
func (e *encoder) format() error {
	f := &e.chat.Format
	switch {
	case f.Kind == form.FormatJSON:
		return e.target.Drop(memberName(f.Field, "response_format"), f.Field)
	case f.Kind != form.FormatSchema:
		return nil
	case e.version.formats():
		e.out.schema = strictSchema(f.Schema)
		return nil
	case len(e.chat.Tools) > 0 || e.thinks():
		return form.Refuse(f.Field, "this model is held to a schema by a tool that it has to call, so it cannot have other tools or think")
	}
	description := f.Description
	if description == "" {
		description = "Gives the answer."
	}
	e.out.tools = append(e.out.tools, tool{name: answerTool, description: description, schema: objectSchema(f.Schema)})
	e.out.toolChoice = &toolChoice{kind: "tool", name: answerTool}
	return nil
}
