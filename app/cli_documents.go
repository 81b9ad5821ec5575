package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/sluicegate/sluice"
)

// maxDocumentBytes bounds a file of objects.
const maxDocumentBytes = 16 << 20

// documentBreak separates the documents of a YAML stream (YAML 1.2, section 9.2).
var documentBreak = regexp.MustCompile(`(?m)^---(?:[ \t].*)?$`)

// readObjects reads the objects of a YAML or JSON file, "-" for standard input.
// A document is one object, a list of objects, or {"items": […]} as `list`
// prints it.
func readObjects[T any](env cliEnv, file string) ([]T, error) {
	text, err := readDocumentFile(env, file)
	if err != nil {
		return nil, err
	}
	if file == "-" {
		file = "standard input"
	}
	var out []T
	for i, document := range documentBreak.Split(string(text), -1) {
		where := fmt.Sprintf("%s, document %d", file, i+1)
		converted, err := yaml.YAMLToJSONStrict([]byte(document))
		if err != nil {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "%s: %v", where, err)
		}
		objects, err := splitDocument(converted, where)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			obj, err := decodeObject[T](object, where)
			if err != nil {
				return nil, err
			}
			out = append(out, obj)
		}
	}
	if len(out) == 0 {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "%s holds no object", file)
	}
	return out, nil
}

// readNamed reads objects that must say which one they are.
func readNamed[T any](env cliEnv, file string) ([]T, error) {
	if file == "" {
		return nil, sluice.Errorf(sluice.CodeConfig, "--file is needed: a YAML or JSON file, or - for standard input")
	}
	objects, err := readObjects[T](env, file)
	if err != nil {
		return nil, err
	}
	for i := range objects {
		if metaOf(&objects[i]).Name == "" {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "object %d has no name", i+1)
		}
	}
	return objects, nil
}

func readDocumentFile(env cliEnv, file string) ([]byte, error) {
	var source io.Reader = env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, sluice.Errorf(sluice.CodeConfig, "cannot read %s: %v", file, errors.Unwrap(err))
		}
		defer f.Close()
		source = f
	}
	text, err := io.ReadAll(io.LimitReader(source, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(text) > maxDocumentBytes {
		return nil, sluice.Errorf(sluice.CodeTooLarge, "%s is larger than %d bytes", file, maxDocumentBytes)
	}
	return text, nil
}

// splitDocument returns the objects of one document; an empty one has none.
func splitDocument(document []byte, where string) ([]json.RawMessage, error) {
	document = bytes.TrimSpace(document)
	if bytes.Equal(document, []byte("null")) {
		return nil, nil
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	target := any(&list)
	switch {
	case bytes.HasPrefix(document, []byte("[")):
		target = &list.Items
	case !bytes.HasPrefix(document, []byte("{")):
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "%s is not an object", where)
	}
	if err := json.Unmarshal(document, target); err != nil {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "%s: %v", where, err)
	}
	if list.Items == nil {
		return []json.RawMessage{document}, nil
	}
	return list.Items, nil
}

// decodeObject reads one object; a field that the kind does not have is an
// error here already, because dropping it silently would lose what was meant.
func decodeObject[T any](text []byte, where string) (T, error) {
	var obj T
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&obj); err != nil {
		return obj, sluice.Errorf(sluice.CodeInvalidRequest, "%s: %s", where, decodeText(err))
	}
	return obj, nil
}

// decodeText says what a decoder found wrong, without Go's words.
func decodeText(err error) string {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		if mismatch.Field == "" {
			return "expected an object, found a " + mismatch.Value
		}
		return fmt.Sprintf("field %q cannot be a %s", mismatch.Field, mismatch.Value)
	}
	var own *sluice.Error
	if errors.As(err, &own) {
		return own.Message
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
