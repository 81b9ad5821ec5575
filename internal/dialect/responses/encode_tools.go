package responses

import (
	"encoding/json"
	"slices"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// longestName is the longest name of a tool that OpenAI accepts.
const longestName = 64

// sentTool is a tool as it is sent. Strict is always said, because this API
// takes it for true where others take it for false.
type sentTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters"`
	Strict      bool            `json:"strict"`
}

// noParameters is the schema of a function that takes none.
var noParameters = json.RawMessage(`{"type":"object","properties":{}}`)

func (e *encoder) name(theirs string) string { return e.target.ToolName(theirs, longestName, "") }

func (e *encoder) tools() error {
	for i := range e.chat.Tools {
		t := &e.chat.Tools[i]
		switch {
		case t.Server != "":
			if err := e.serverTool(t); err != nil {
				return err
			}
			continue
		case t.Custom:
			e.to.Tools = append(e.to.Tools, tool{Type: "custom", Name: e.name(t.Name), Description: t.Description, Format: flat(t.Grammar)})
		default:
			e.to.Tools = append(e.to.Tools, function(t, e.name(t.Name)))
		}
		if t.Cache != form.CacheNone && e.marked == "" {
			e.marked = t.Field
		}
	}
	return nil
}

func function(t *form.Tool, name string) sentTool {
	sent := sentTool{Type: "function", Name: name, Description: t.Description, Parameters: t.Schema}
	if len(t.Schema) == 0 {
		sent.Parameters = noParameters
	}
	sent.Strict = t.Strict != nil && *t.Strict
	return sent
}

// serverTools are the tools that OpenAI runs and that need nothing stored there.
var serverTools = []string{
	"web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "code_interpreter",
	"image_generation", "mcp", "local_shell", "shell", "apply_patch", "computer", "computer_use_preview",
}

// serverTool passes on a tool of this API; those of others are dropped.
func (e *encoder) serverTool(t *form.Tool) error {
	if !slices.Contains(serverTools, t.Server) {
		return e.target.Drop(t.Server, t.Field)
	}
	whole := jsonscan.At(t.Raw, 0)
	if kind := jsonscan.Find(t.Raw, whole, "type"); !jsonscan.Is(t.Raw, kind, t.Server) {
		return e.target.Drop(t.Server, t.Field)
	}
	if err := refuseStoredTool(t.Raw, whole, t.Field); err != nil {
		return err
	}
	e.to.Tools = append(e.to.Tools, t.Raw)
	return nil
}

// choice writes tool_choice.
func (e *encoder) choice() error {
	c := &e.chat.Choice
	forced := c.Mode == form.ToolRequired || c.Mode == form.ToolNamed
	switch {
	case len(e.to.Tools) == 0 && forced:
		return form.Refuse(c.Field, "the provider of this model has none of the tools that must be called")
	case c.Mode == form.ToolDefault:
	case c.Mode == form.ToolNamed:
		e.to.ToolChoice = e.chosen(c.Name)
	case len(c.Allowed) > 0 && c.Mode != form.ToolNone:
		allowed := choice{Type: "allowed_tools", Mode: string(c.Mode)}
		for _, name := range c.Allowed {
			allowed.Tools = append(allowed.Tools, e.chosen(name))
		}
		e.to.ToolChoice = allowed
	default:
		e.to.ToolChoice = string(c.Mode)
	}
	return nil
}

// chosen names a tool.
func (e *encoder) chosen(name string) choice {
	kind := "function"
	if slices.ContainsFunc(e.chat.Tools, func(t form.Tool) bool { return t.Custom && t.Name == name }) {
		kind = "custom"
	}
	return choice{Type: kind, Name: e.name(name)}
}
