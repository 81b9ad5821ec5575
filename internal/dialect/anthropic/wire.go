package anthropic

import "encoding/json"

// mustJSON encodes values of this package's own types, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("anthropic: encoding an own type: " + err.Error())
	}
	return b
}
