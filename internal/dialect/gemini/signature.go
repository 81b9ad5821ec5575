package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// SDKs read a thoughtSignature as bytes in base64, so that what another
// protocol signed has to travel in base64, too.

// sealedMark stands before reasoning that only its provider can read.
const sealedMark = "sealed:"

// writeSignature is the thoughtSignature for a client: Google's own as it came,
// that of others marked; "" for none.
func writeSignature(s form.Signature, sealed string) string {
	if sealed != "" {
		s.Value = sealedMark + sealed
	} else if s.Origin == form.OriginGemini {
		return s.Value
	}
	if s.Value == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(s.Travelling(form.OriginGemini)))
}

// readSignature is the inverse of [writeSignature]. What stands in for a
// signature, as it is or as bytes, signs nothing.
func readSignature(text string) (s form.Signature, sealed string) {
	if text == "" || text == unsigned {
		return form.Signature{}, ""
	}
	plain, err := decodeBase64(text)
	if string(plain) == unsigned {
		return form.Signature{}, ""
	}
	if err != nil {
		return form.Signature{Origin: form.OriginGemini, Value: text}, ""
	}
	marked := form.ReadSignature(string(plain), form.OriginGemini)
	if marked.Origin == form.OriginGemini {
		return form.Signature{Origin: form.OriginGemini, Value: text}, ""
	}
	if sealed, ok := strings.CutPrefix(marked.Value, sealedMark); ok {
		return form.Signature{Origin: marked.Origin}, sealed
	}
	return marked, ""
}

// decodeBase64 reads base64 in either alphabet, padded or not, as ProtoJSON
// does.
func decodeBase64(text string) ([]byte, error) {
	text = strings.TrimRight(text, "=")
	if strings.ContainsAny(text, "-_") {
		return base64.RawURLEncoding.DecodeString(text)
	}
	return base64.RawStdEncoding.DecodeString(text)
}
