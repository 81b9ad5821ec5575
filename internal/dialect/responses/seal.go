package responses

import (
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// What providers of other protocols sign travels in encrypted_content, marked by
// [form.Signature.Travelling]. Two kinds of it are told apart by what stands
// before the value.
const (
	// sealedMark is before reasoning that only its provider can read.
	sealedMark = "sealed:"
	// callMark is before the signature of the call that follows the item: the
	// item of a call has no place for one.
	callMark = "call:"
)

// seal returns the encrypted content of a thought.
func seal(s form.Signature, sealed string) string {
	if sealed == "" {
		return s.Travelling(form.OriginOpenAI)
	}
	if s.Origin == form.OriginOpenAI {
		return sealed
	}
	return form.Signature{Origin: s.Origin, Value: sealedMark + sealed}.Travelling(form.OriginOpenAI)
}

// sealCall returns the encrypted content of the item before a signed call.
func sealCall(s form.Signature) string {
	return form.Signature{Origin: s.Origin, Value: callMark + s.Value}.Travelling(form.OriginOpenAI)
}

// unseal is the inverse of both; ofCall tells that the signature belongs to the
// call that follows.
func unseal(p *form.Part, encrypted string) (ofCall bool) {
	s := form.ReadSignature(encrypted, form.OriginOpenAI)
	if s.Origin == form.OriginOpenAI {
		p.Sealed, p.Signature = s.Value, form.Signature{Origin: s.Origin}
		return false
	}
	if value, ok := strings.CutPrefix(s.Value, sealedMark); ok {
		p.Sealed, p.Signature = value, form.Signature{Origin: s.Origin}
		return false
	}
	value, ofCall := strings.CutPrefix(s.Value, callMark)
	p.Signature = form.Signature{Origin: s.Origin, Value: value}
	return ofCall
}
