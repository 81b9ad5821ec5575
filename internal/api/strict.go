package api

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluicegate/sluice"
)

// maxBodyDepth is how deep objects and arrays may nest in a request body.
const maxBodyDepth = 64

// strictDecode reads one JSON value into v, which is a non-nil pointer. Unlike
// encoding/json alone it refuses unknown fields, fields in another case,
// duplicate fields, invalid UTF-8, trailing data and nesting beyond
// [maxBodyDepth], and it names the place: line and column for broken JSON, a
// JSON pointer for everything else. hints maps unknown field names to advice.
func strictDecode(data []byte, v any, hints map[string]string) error {
	if err := checkShape(data, reflect.TypeOf(v).Elem(), hints); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return invalid("", "the body does not fit: %s", typeErrorText(err))
	}
	return nil
}

// checkShape compares a JSON text with a Go type, without building a value.
func checkShape(data []byte, t reflect.Type, hints map[string]string) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return invalid("", "the body is empty; a JSON value is expected")
	}
	if !utf8.Valid(data) {
		return invalid("", "the body is not valid UTF-8")
	}
	c := shapeChecker{data: data, dec: json.NewDecoder(bytes.NewReader(data)), hints: hints}
	c.dec.UseNumber()
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return invalid("", "expected %s, found null", jsonNoun(t))
	}
	if err := c.value(t, "", 0); err != nil {
		return err
	}
	if _, err := c.dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "the JSON value is followed by other data at %s", c.position(c.dec.InputOffset()))
	}
	return nil
}

// shapeChecker walks a JSON text beside the type it must fit.
type shapeChecker struct {
	data  []byte
	dec   *json.Decoder
	hints map[string]string
}

var (
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawMessageType  = reflect.TypeFor[json.RawMessage]()
	anyType         = reflect.TypeFor[any]()
)

// value checks the next value; at is its JSON pointer.
func (c *shapeChecker) value(t reflect.Type, at string, depth int) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == rawMessageType {
		t = anyType
	}
	if p := reflect.PointerTo(t); p.Implements(unmarshalerType) || p.Implements(textType) {
		return c.custom(t, at)
	}
	tok, err := c.dec.Token()
	if err != nil {
		return c.syntax(err)
	}
	switch tok := tok.(type) {
	case json.Delim:
		if depth >= maxBodyDepth {
			return invalid(at, "the body nests deeper than %d levels", maxBodyDepth)
		}
		if tok == '{' {
			return c.object(t, at, depth)
		}
		return c.array(t, at, depth)
	default:
		return scalar(t, tok, at)
	}
}

// custom lets a type that reads its own JSON judge the value.
func (c *shapeChecker) custom(t reflect.Type, at string) error {
	var raw json.RawMessage
	if err := c.dec.Decode(&raw); err != nil {
		return c.syntax(err)
	}
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	if err != nil && t == reflect.TypeFor[time.Time]() {
		return invalid(at, timeText)
	}
	if err != nil {
		return invalid(at, "%s", typeErrorText(err))
	}
	return nil
}

// timeText says how a time is written.
const timeText = "expected a time as in RFC 3339, for instance 2026-01-31T12:00:00Z"

func (c *shapeChecker) object(t reflect.Type, at string, depth int) error {
	fields := jsonFields(t)
	if t.Kind() != reflect.Struct && t.Kind() != reflect.Map && t.Kind() != reflect.Interface {
		return invalid(at, "expected %s, found an object", jsonNoun(t))
	}
	seen := map[string]bool{}
	for c.dec.More() {
		tok, err := c.dec.Token()
		if err != nil {
			return c.syntax(err)
		}
		name, _ := tok.(string)
		here := at + "/" + escapePointer(name)
		if strings.ContainsRune(name, 0) {
			return invalid(at, noNUL)
		}
		if seen[name] {
			return invalid(here, "field %q appears twice", clipped(name))
		}
		seen[name] = true
		ft, err := c.fieldType(t, fields, name, here)
		if err != nil {
			return err
		}
		if err := c.value(ft, here, depth+1); err != nil {
			return err
		}
	}
	return c.end()
}

// fieldType returns the type that the named member must fit.
func (c *shapeChecker) fieldType(t reflect.Type, fields map[string]reflect.Type, name, at string) (reflect.Type, error) {
	switch t.Kind() {
	case reflect.Map:
		return t.Elem(), nil
	case reflect.Interface:
		return anyType, nil
	}
	if ft, known := fields[name]; known {
		return ft, nil
	}
	if hint := c.hints[name]; hint != "" {
		return nil, invalid(at, "field %q is not accepted: %s", name, hint)
	}
	for known := range fields {
		if strings.EqualFold(known, name) {
			return nil, invalid(at, "field %q is unknown; did you mean %q?", clipped(name), known)
		}
	}
	return nil, invalid(at, "field %q is unknown", clipped(name))
}

func (c *shapeChecker) array(t reflect.Type, at string, depth int) error {
	elem := anyType
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		elem = t.Elem()
	case reflect.Interface:
	default:
		return invalid(at, "expected %s, found an array", jsonNoun(t))
	}
	for i := 0; c.dec.More(); i++ {
		if err := c.value(elem, at+"/"+strconv.Itoa(i), depth+1); err != nil {
			return err
		}
	}
	return c.end()
}

// end consumes the closing bracket.
func (c *shapeChecker) end() error {
	if _, err := c.dec.Token(); err != nil {
		return c.syntax(err)
	}
	return nil
}

// syntax explains broken JSON by line and column.
func (c *shapeChecker) syntax(err error) error {
	var broken *json.SyntaxError
	switch {
	case errors.As(err, &broken):
		return invalid("", "the body is not valid JSON: %s at %s", broken.Error(), c.position(broken.Offset))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("", "the body is not valid JSON: it ends at %s before the value is complete", c.position(int64(len(c.data))))
	}
	return invalid("", "the body is not valid JSON: %v", err)
}

// position renders a byte offset as line and column, both from 1.
func (c *shapeChecker) position(offset int64) string {
	before := c.data[:min(int(offset), len(c.data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := max(1, len(before)-(bytes.LastIndexByte(before, '\n')+1))
	return fmt.Sprintf("line %d, column %d", line, column)
}

// noNUL says what text cannot hold: PostgreSQL stores no U+0000.
const noNUL = "text must not hold the character U+0000"

// scalar checks a string, number, bool or null. null is accepted everywhere:
// on create it means absent, in a merge patch it removes the field.
func scalar(t reflect.Type, tok json.Token, at string) error {
	if text, ok := tok.(string); ok && strings.ContainsRune(text, 0) {
		return invalid(at, noNUL)
	}
	if tok == nil || t.Kind() == reflect.Interface {
		return nil
	}
	found := "a string"
	switch tok := tok.(type) {
	case string:
		if t.Kind() == reflect.String {
			return nil
		}
	case bool:
		if t.Kind() == reflect.Bool {
			return nil
		}
		found = "a boolean"
	case json.Number:
		if isInteger(t) {
			return integer(t, tok, at)
		}
		if t.Kind() == reflect.Float64 {
			return nil
		}
		found = "a number"
	}
	return invalid(at, "expected %s, found %s", jsonNoun(t), found)
}

func isInteger(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

func integer(t reflect.Type, n json.Number, at string) error {
	if err := json.Unmarshal([]byte(n), reflect.New(t).Interface()); err != nil {
		return invalid(at, "expected %s, found %s", jsonNoun(t), clipped(string(n)))
	}
	return nil
}

// jsonFields lists the JSON members of a struct, embedded structs included.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	if t.Kind() != reflect.Struct {
		return nil
	}
	out := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" || !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		out[name] = f.Type
	}
	return out
}

// jsonNoun names what JSON a type expects.
func jsonNoun(t reflect.Type) string {
	switch {
	case isInteger(t):
		return "an integer"
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		return "an array"
	}
	return "an object"
}

// typeErrorText returns what went wrong, for the client.
func typeErrorText(err error) string {
	var own *sluice.Error
	if errors.As(err, &own) {
		return own.Message
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// escapePointer escapes one segment of a JSON pointer (RFC 6901, section 3).
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(clipped(s))
}

// clipped shortens client input before it is echoed.
func clipped(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}

// invalid is a refusal that blames one place of the input.
func invalid(at, format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, format, args...).At(at)
}
