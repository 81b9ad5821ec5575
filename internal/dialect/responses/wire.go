package responses

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// item is one element of input or output, whichever its type.
type item struct {
	Type    string          `json:"type,omitempty"`
	ID      string          `json:"id,omitempty"`
	Role    string          `json:"role,omitempty"`
	Content json.RawMessage `json:"content,omitempty"`
	// Calls and their outputs.
	CallID    string          `json:"call_id,omitempty"`
	Namespace string          `json:"namespace,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arguments *string         `json:"arguments,omitempty"`
	Input     *string         `json:"input,omitempty"`
	Output    json.RawMessage `json:"output,omitempty"`
	// Tools of additional_tools.
	Tools json.RawMessage `json:"tools,omitempty"`
	// Reasoning. A summary is there even when it is empty.
	Summary          *[]content `json:"summary,omitempty"`
	EncryptedContent *string    `json:"encrypted_content,omitempty"`
	// Result is a picture in base64 (image_generation_call).
	Result *string `json:"result,omitempty"`
	Format string  `json:"output_format,omitempty"`
}

// content is one part of a message or of an output.
type content struct {
	Type    string `json:"type"`
	Text    string `json:"text,omitempty"`
	Refusal string `json:"refusal,omitempty"`
	// Logprobs come with texts of answers.
	Logprobs json.RawMessage `json:"logprobs,omitempty"`
	// Images and files.
	ImageURL string `json:"image_url,omitempty"`
	Detail   string `json:"detail,omitempty"`
	FileID   string `json:"file_id,omitempty"`
	FileURL  string `json:"file_url,omitempty"`
	FileData string `json:"file_data,omitempty"`
	Filename string `json:"filename,omitempty"`
}

// tool is a function or a custom tool, or a namespace of such.
type tool struct {
	Type        string            `json:"type"`
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	Parameters  json.RawMessage   `json:"parameters,omitempty"`
	Strict      *bool             `json:"strict,omitempty"`
	Format      json.RawMessage   `json:"format,omitempty"`
	Tools       []json.RawMessage `json:"tools,omitempty"`
}

// wireFormat is the format of a text.
type wireFormat struct {
	Type        string          `json:"type"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
	Strict      *bool           `json:"strict,omitempty"`
}

// decode reads a JSON value of the client's body.
func decode(raw []byte, to any, field string) error {
	if err := json.Unmarshal(raw, to); err != nil {
		return invalid(field, "the value has the wrong type: %s", kindError(err))
	}
	return nil
}

// kindError names the place and kind of a value that did not fit, without the
// names of our own types.
func kindError(err error) string {
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		if e.Field != "" {
			return e.Field + " must not be " + e.Value
		}
		return "it must not be " + e.Value
	}
	return "it is not sound"
}

// mustJSON encodes values of this package's own types, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("responses: encoding an own type: " + err.Error())
	}
	return b
}

// compact removes the space around the tokens of JSON.
func compact(raw []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}

// isObject reports whether a sound JSON value is an object.
func isObject(raw []byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == '{'
}

func sortedKeys(m map[string]json.RawMessage) []string { return slices.Sorted(maps.Keys(m)) }
