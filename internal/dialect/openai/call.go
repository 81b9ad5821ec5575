package openai

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// writtenCall is a call of a tool in an answer, or in the history of a request.
type writtenCall struct {
	ID       string        `json:"id"`
	Type     string        `json:"type"`
	Function *writtenInput `json:"function,omitempty"`
	Custom   *writtenInput `json:"custom,omitempty"`
	Extra    *extraContent `json:"extra_content,omitempty"`
}

// writtenInput is the function or the custom tool that is called.
type writtenInput struct {
	Name      string  `json:"name"`
	Arguments *string `json:"arguments,omitempty"`
	Input     *string `json:"input,omitempty"`
}

// extraContent is where Gemini's compatible endpoint puts the signature of a
// call; clients send it back.
type extraContent struct {
	Google struct {
		Signature string `json:"thought_signature,omitempty"`
	} `json:"google"`
}

// callOf renders a call.
func callOf(p *form.Part, input string) writtenCall {
	w := writtenCall{ID: p.Call.ID, Type: "function"}
	if p.Call.Custom {
		w.Type, w.Custom = "custom", &writtenInput{Name: p.Call.Name}
	} else {
		w.Function = &writtenInput{Name: p.Call.Name}
	}
	w.input(input)
	if signature := p.Signature.Travelling(form.OriginGemini); signature != "" {
		w.Extra = &extraContent{}
		w.Extra.Google.Signature = signature
	}
	return w
}

// input sets what the tool is called with; arguments are never "", which is no
// JSON.
func (w *writtenCall) input(text string) {
	if w.Custom != nil {
		w.Custom.Input = &text
		return
	}
	if text == "" {
		text = "{}"
	}
	w.Function.Arguments = &text
}

// appendPlain appends a value as JSON without the escapes that only HTML needs.
func appendPlain(to []byte, v any) ([]byte, error) {
	buffer := bytes.NewBuffer(to)
	e := json.NewEncoder(buffer)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return to, fmt.Errorf("writing JSON: %w", err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}
