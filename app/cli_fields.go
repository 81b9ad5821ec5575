package app

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicegate/sluice"
)

// fieldFlags offers the fields of an object as flags: base_url is --base-url.
// Fields that are neither text, number, boolean nor a list of texts are set as
// JSON: --set 'nodes=[{"host":"10.0.0.7","port":80}]'.
type fieldFlags[T any] struct {
	fields map[string]objectField // by flag name
	set    []string
}

// objectField is a field of an object that a client may write.
type objectField struct {
	json string
	kind fieldKind
}

type fieldKind int

const (
	fieldText fieldKind = iota
	fieldScalar
	fieldTexts
	fieldTime
)

// add adds the flags to a command.
func (f *fieldFlags[T]) add(cmd *cobra.Command) {
	f.fields = map[string]objectField{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || name == "" || name == "name" || name == "tenant" || field.Tag.Get("readOnly") == "true" {
			continue
		}
		kind, ok := kindOfField(field.Type)
		if !ok {
			continue
		}
		flag := strings.ReplaceAll(name, "_", "-")
		f.fields[flag] = objectField{name, kind}
		usage := strings.TrimSpace(name + " " + field.Tag.Get("enum"))
		switch kind {
		case fieldTexts:
			cmd.Flags().StringSlice(flag, nil, usage+" (repeat, or separate by commas)")
		case fieldTime:
			cmd.Flags().String(flag, "", usage+": a `time` as in RFC 3339, or a duration from now such as +720h")
		case fieldText, fieldScalar:
			cmd.Flags().String(flag, "", usage)
		}
	}
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "any other field as JSON, for instance plugins='{\"key-auth\":{}}'")
}

// kindOfField says how a field is written as a flag, if it can be.
func kindOfField(t reflect.Type) (fieldKind, bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[sluice.Rate](), t.Kind() == reflect.Bool, t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return fieldScalar, true
	case t == reflect.TypeFor[time.Time]():
		return fieldTime, true
	case t.Kind() == reflect.String:
		return fieldText, true
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return fieldTexts, true
	}
	return 0, false
}

// changed returns the fields that were given, as JSON values.
func (f *fieldFlags[T]) changed(cmd *cobra.Command) (map[string]any, error) {
	out := map[string]any{}
	var failed error
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		field, ok := f.fields[flag.Name]
		if !ok || failed != nil {
			return
		}
		switch field.kind {
		case fieldText:
			out[field.json] = flag.Value.String()
		case fieldTexts:
			out[field.json] = flag.Value.(pflag.SliceValue).GetSlice()
		case fieldTime:
			out[field.json], failed = timeValue("--"+flag.Name, flag.Value.String(), time.Now())
		case fieldScalar:
			out[field.json], failed = jsonValue("--"+flag.Name, flag.Value.String())
		}
	})
	for _, assignment := range f.set {
		name, text, found := strings.Cut(assignment, "=")
		if !found {
			return nil, sluice.Errorf(sluice.CodeConfig, "--set needs field=JSON, not %q", assignment)
		}
		value, err := jsonValue("--set "+name, text)
		if err != nil {
			return nil, err
		}
		out[name] = value
	}
	return out, failed
}

// timeValue reads a time, or a duration after now; "" clears the field.
func timeValue(flag, text string, now time.Time) (any, error) {
	if text == "" {
		return nil, nil
	}
	if after, ok := strings.CutPrefix(text, "+"); ok {
		if d, err := time.ParseDuration(after); err == nil {
			return now.Add(d).UTC().Truncate(time.Second), nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "%s: %q is neither a time such as 2026-01-31T12:00:00Z nor a duration such as +720h", flag, text)
	}
	return t, nil
}

func jsonValue(flag, text string) (json.RawMessage, error) {
	if !json.Valid([]byte(text)) {
		return nil, sluice.Errorf(sluice.CodeConfig, "%s: %q is not a JSON value", flag, text)
	}
	return json.RawMessage(text), nil
}

// objects returns what `create` is to create: the documents of a file, or one
// object from the flags.
func (f *fieldFlags[T]) objects(cmd *cobra.Command, env cliEnv, file string, args []string) ([]T, error) {
	values, err := f.changed(cmd)
	if err != nil {
		return nil, err
	}
	if file != "" {
		if len(values) > 0 || len(args) > 0 {
			return nil, sluice.Errorf(sluice.CodeConfig, "give either --file, or a name and flags")
		}
		return readObjects[T](env, file)
	}
	if len(args) > 0 {
		values["name"] = args[0]
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "the flags do not make an object").Because(err)
	}
	obj, err := decodeObject[T](text, "the flags")
	return []T{obj}, err
}
