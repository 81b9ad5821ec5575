package control

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicegate/sluice"
)

// checkLimits holds a client's document to the limits that its fields declare
// (maxLength in characters, maxItems, minimum, maximum), which are those that
// the API documents. What an object's own Validate refuses with a better text
// has been refused before.
func checkLimits(o sluice.Object) error {
	return limitedStruct(reflect.ValueOf(o).Elem(), "")
}

// limitedStruct checks the fields of a struct; at is its JSON pointer.
func limitedStruct(v reflect.Value, at string) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		here := at
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			here += "/" + name
		}
		if err := limitedValue(v.Field(i), field.Tag, here); err != nil {
			return err
		}
	}
	return nil
}

// limitedValue checks one value against its field's tag.
func limitedValue(v reflect.Value, tag reflect.StructTag, at string) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return limitedValue(v.Elem(), tag, at)
		}
	case reflect.String:
		if most, ok := limit(tag, "maxLength"); ok && int64(utf8.RuneCountInString(v.String())) > most {
			return exceeds(at, "is longer than %d characters", most)
		}
	case reflect.Int, reflect.Int64:
		if least, ok := limit(tag, "minimum"); ok && v.Int() < least {
			return exceeds(at, "is less than %d", least)
		}
		if most, ok := limit(tag, "maximum"); ok && v.Int() > most {
			return exceeds(at, "is more than %d", most)
		}
	case reflect.Slice, reflect.Map:
		if most, ok := limit(tag, "maxItems"); ok && int64(v.Len()) > most {
			return exceeds(at, "has more than %d entries", most)
		}
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct {
			return limitedItems(v, at)
		}
	case reflect.Struct:
		if v.Type().PkgPath() != "time" {
			return limitedStruct(v, at)
		}
	}
	return nil
}

// limitedItems checks every struct of a list.
func limitedItems(list reflect.Value, at string) error {
	for i := range list.Len() {
		if err := limitedStruct(list.Index(i), at+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

// limit reads a number of a tag.
func limit(tag reflect.StructTag, name string) (int64, bool) {
	n, err := strconv.ParseInt(tag.Get(name), 10, 64)
	return n, err == nil
}

func exceeds(at, format string, limit int64) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, strings.TrimPrefix(at, "/")+" "+format, limit).At(at)
}
