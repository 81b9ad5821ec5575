package openai

import "github.com/sluicegate/sluice/internal/dialect/jsonscan"

// plainText reads a chunk that adds text to the first choice and says nothing
// else, as nearly all of a stream do, without decoding it. Whatever it does not
// know is not plain.
func plainText(data []byte) (text string, plain bool) {
	chunk := jsonscan.Document(data)
	for chunk.Next() {
		switch v := chunk.Value(); string(chunk.Key()) {
		case "id", "object", "created", "model", "system_fingerprint", "service_tier", "obfuscation":
		case "usage":
			if v.Kind != jsonscan.Null {
				return "", false
			}
		case "choices":
			choices := v.Elements(data)
			if text != "" || !choices.Next() {
				return "", false
			}
			if text = plainChoice(data, choices.Value()); text == "" || choices.Next() {
				return "", false
			}
		default:
			return "", false
		}
	}
	return text, chunk.Err() == nil && text != ""
}

// plainChoice is the text of such a chunk's choice, "" if it is not plain.
func plainChoice(data []byte, v jsonscan.Value) (text string) {
	for m := v.Members(data); m.Next(); {
		switch v := m.Value(); string(m.Key()) {
		case "index":
			if n, ok := jsonscan.Int(data, v); !ok || n != 0 {
				return ""
			}
		case "delta":
			if text != "" {
				return ""
			}
			if text = plainDelta(data, v); text == "" {
				return ""
			}
		default:
			if v.Kind != jsonscan.Null {
				return ""
			}
		}
	}
	return text
}

// plainDelta is the text of such a choice's delta, "" if it is not plain.
func plainDelta(data []byte, v jsonscan.Value) (text string) {
	for m := v.Members(data); m.Next(); {
		switch v := m.Value(); string(m.Key()) {
		case "content":
			if text != "" {
				return ""
			}
			if text, _ = jsonscan.Text(data, v); text == "" {
				return ""
			}
		case "role":
		default:
			if v.Kind != jsonscan.Null {
				return ""
			}
		}
	}
	return text
}
