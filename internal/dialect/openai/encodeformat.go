package openai

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// writtenFormat is response_format.
type writtenFormat struct {
	Type   string         `json:"type"`
	Schema *writtenSchema `json:"json_schema,omitempty"`
}

type writtenSchema struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema"`
	Strict      *bool           `json:"strict,omitempty"`
}

// format says what shape the answer must have. Where schemas are unknown, the
// schema becomes an instruction, and the client is told that nobody enforces
// it.
func (e *chatEncoder) format() error {
	f := &e.chat.Format
	switch {
	case f.Kind == form.FormatText:
		return nil
	case f.Kind == form.FormatSchema && e.quirks.schemas:
		e.body.Format = &writtenFormat{Type: "json_schema", Schema: schemaOf(f)}
		return nil
	case f.Kind == form.FormatSchema:
		if err := e.target.Drop("response_format.json_schema", f.Field); err != nil {
			return err
		}
		e.instruct("Answer with one JSON object that follows this JSON Schema, and nothing else: " + string(f.Schema))
	case !e.says("json"):
		// Providers refuse the format when the messages do not mention it.
		e.instruct("Answer with one JSON object and nothing else.")
	}
	if e.quirks.objects {
		e.body.Format = &writtenFormat{Type: "json_object"}
		return nil
	}
	return e.target.Drop("response_format", f.Field)
}

func schemaOf(f *form.Format) *writtenSchema {
	s := &writtenSchema{Name: f.Name, Description: f.Description, Schema: f.Schema, Strict: f.Strict}
	if s.Name == "" {
		s.Name = "answer"
	}
	return s
}

// instruct adds an instruction of the system in front of the conversation,
// behind those that stand there.
func (e *chatEncoder) instruct(text string) {
	messages := e.body.Messages
	if len(messages) > 0 && messages[0].Role == "system" {
		if before, ok := messages[0].Content.(string); ok {
			messages[0].Content = before + "\n\n" + text
			return
		}
	}
	e.body.Messages = append([]writtenTurn{{Role: "system", Content: text}}, messages...)
}

// says reports whether a word stands anywhere in the conversation.
func (e *chatEncoder) says(word string) bool {
	for i := range e.chat.Turns {
		for j := range e.chat.Turns[i].Parts {
			if strings.Contains(strings.ToLower(e.chat.Turns[i].Parts[j].Text), word) {
				return true
			}
		}
	}
	return false
}
