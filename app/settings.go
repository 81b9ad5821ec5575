package app

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setting is one field of [Config]: its key in the file, its environment
// variable and its default.
type setting struct {
	key, env, def string
	secret        bool
	field         int
	typ           reflect.Type
}

// settings lists the fields of Config in order, read from their tags.
func settings() []setting {
	typ := reflect.TypeFor[Config]()
	list := make([]setting, typ.NumField())
	for i := range list {
		f := typ.Field(i)
		list[i] = setting{
			key: f.Tag.Get("key"), env: f.Tag.Get("env"), def: f.Tag.Get("default"),
			secret: f.Tag.Get("secret") == "true", field: i, typ: f.Type,
		}
	}
	return list
}

// parse reads a text as the setting's type.
func (s setting) parse(text string) (reflect.Value, error) {
	switch s.typ {
	case reflect.TypeFor[string]():
		return reflect.ValueOf(text), nil
	case reflect.TypeFor[int]():
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return reflect.Value{}, fmt.Errorf("%q is not a whole number", text)
		}
		return reflect.ValueOf(n), nil
	case reflect.TypeFor[bool]():
		b, err := strconv.ParseBool(strings.TrimSpace(text))
		if err != nil {
			return reflect.Value{}, fmt.Errorf("%q is neither true nor false", text)
		}
		return reflect.ValueOf(b), nil
	case reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil {
			return reflect.Value{}, fmt.Errorf("%q is not a duration such as 5s or 10m", text)
		}
		return reflect.ValueOf(d), nil
	case reflect.TypeFor[[]string]():
		return reflect.ValueOf(splitList(text)), nil
	case reflect.TypeFor[map[string]string]():
		m, err := splitMap(text)
		return reflect.ValueOf(m), err
	}
	panic("app: Config has a field of type " + s.typ.String() + ", which settings cannot read")
}

// splitList splits at commas and drops empty parts.
func splitList(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// splitMap reads name=value pairs, separated by commas.
func splitMap(text string) (map[string]string, error) {
	var out map[string]string
	for _, part := range splitList(text) {
		name, value, ok := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if _, twice := out[name]; !ok || name == "" || value == "" || twice {
			return nil, fmt.Errorf("%q is not name=value, or names something twice", part)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = value
	}
	return out, nil
}

// joinMap writes what splitMap reads, in order.
func joinMap(m map[string]string) string {
	var parts []string
	for _, name := range sortedKeys(m) {
		parts = append(parts, name+"="+m[name])
	}
	return strings.Join(parts, ",")
}

// show renders the setting's value for people; secrets only tell whether they
// are set.
func (s setting) show(c *Config) string {
	v := reflect.ValueOf(c).Elem().Field(s.field)
	switch {
	case s.secret && v.IsZero():
		return "(not set)"
	case s.secret:
		return "(set)"
	case s.typ == reflect.TypeFor[[]string]():
		return strings.Join(v.Interface().([]string), ",")
	case s.typ == reflect.TypeFor[map[string]string]():
		return joinMap(v.Interface().(map[string]string))
	}
	return fmt.Sprint(v.Interface())
}
