package control

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	maxPatchBytes = 1 << 20
	maxPatchDepth = 64
)

// patched returns the object with a JSON merge patch (RFC 7396) applied, and
// whether the patch clears the api_key.
func patched(current sluice.Object, patch json.RawMessage) (after sluice.Object, clearsSecret bool, err error) {
	if len(patch) > maxPatchBytes {
		return nil, false, sluice.Errorf(sluice.CodeTooLarge, "the patch is larger than %d bytes", maxPatchBytes)
	}
	changes, err := decodeObject(patch)
	if err != nil {
		return nil, false, err
	}
	doc, err := json.Marshal(current)
	if err != nil {
		return nil, false, err
	}
	target, err := decodeObject(doc)
	if err != nil {
		return nil, false, err
	}
	merged, err := mergePatch(target, changes, 0)
	if err != nil {
		return nil, false, err
	}
	b, err := json.Marshal(merged)
	if err != nil {
		return nil, false, err
	}
	after = store.New(current.Kind())
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(after); err != nil {
		return nil, false, sluice.Errorf(sluice.CodeInvalidRequest, "the patch does not fit: %s", plainJSON(err))
	}
	secret, present := changes["api_key"]
	return after, present && (secret == nil || secret == ""), nil
}

// decodeObject reads exactly one JSON object; numbers keep their digits.
func decodeObject(b []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v map[string]any
	err := dec.Decode(&v)
	if _, end := dec.Token(); err != nil || v == nil || end != io.EOF {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "a merge patch is one JSON object")
	}
	return v, nil
}

// mergePatch applies RFC 7396, section 2.
func mergePatch(target any, patch any, depth int) (any, error) {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch, nil
	}
	if depth > maxPatchDepth {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the patch is nested deeper than %d", maxPatchDepth)
	}
	out, ok := target.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(out, name)
			continue
		}
		merged, err := mergePatch(out[name], value, depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = merged
	}
	return out, nil
}

// plainJSON takes Go's own names out of a decoding error.
func plainJSON(err error) string {
	var typed *json.UnmarshalTypeError
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		typed = e
		return typed.Field + " cannot be a " + typed.Value
	}
	if e := sluice.AsError(err); e.Code != sluice.CodeInternal {
		return e.Message
	}
	return string(bytes.TrimPrefix([]byte(err.Error()), []byte("json: ")))
}
