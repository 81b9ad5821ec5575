package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/v2"
	"sigs.k8s.io/yaml"

	"github.com/sluicegate/sluice"
)

// fileVariable names the configuration file; it is not a setting itself.
const fileVariable = "EZ_CONFIG_FILE"

// clientVariables configure the command line as a client; see package client.
var clientVariables = []string{"SLUICE_SERVER", "SLUICE_TOKEN", "SLUICE_EMAIL", "SLUICE_PASSWORD", "SLUICE_CREDENTIALS"}

// maxConfigBytes bounds the configuration file.
const maxConfigBytes = 1 << 20

// sources is where a configuration is read from.
type sources struct {
	// environ is the environment as os.Environ gives it.
	environ []string
	// file is the file named on the command line; empty takes EZ_CONFIG_FILE,
	// else ./config.yaml, else ./config/config.yaml, else none.
	file string
	// dir is what relative names are looked up in; empty is the working folder.
	dir string
}

// loaded is a configuration with where each value came from.
type loaded struct {
	Config
	// origin maps keys to "default", the file's name or the variable's.
	origin map[string]string
	// warnings are for the operator: unknown variables, values that lost.
	warnings []string
	// file is the file that was read, empty when there was none.
	file string
}

// isSet reports whether anything but the default gave the value.
func (l *loaded) isSet(key string) bool { return l.origin[key] != "default" }

// layer is one source of values by dotted key, as koanf takes it.
type layer map[string]string

// ReadBytes implements koanf.Provider; a layer holds values, not bytes.
func (layer) ReadBytes() ([]byte, error) { return nil, errors.New("a layer has no bytes") }

// Read implements koanf.Provider: "log.level" becomes {"log": {"level": …}}.
func (l layer) Read() (map[string]any, error) {
	tree := map[string]any{}
	for key, value := range l {
		section, name, _ := strings.Cut(key, ".")
		if tree[section] == nil {
			tree[section] = map[string]any{}
		}
		tree[section].(map[string]any)[name] = value
	}
	return tree, nil
}

// load reads defaults, file and environment, the later over the earlier. All
// problems come back joined, each [sluice.CodeConfig]; the configuration is
// whole only when there is none.
func load(in sources) (*loaded, error) {
	out := &loaded{origin: map[string]string{}}
	var problems []error

	path, text, err := readFile(in)
	if err != nil {
		return nil, err
	}
	file, err := flattenFile(path, text)
	if err != nil {
		return nil, err
	}
	out.file = path
	problems = append(problems, unknownKeys(path, file)...)

	env := environment(in.environ)
	k := koanf.New(".")
	for _, from := range out.layers(path, file, env) {
		if err := k.Load(from, nil); err != nil {
			return nil, fmt.Errorf("merge the configuration: %w", err)
		}
	}
	problems = append(problems, decode(k, out)...)
	out.warnings = append(unknownVariables(env), overruled(out)...)
	return out, errors.Join(problems...)
}

// layers sorts what was found into defaults, file and environment, and notes
// which of them each value comes from. An empty value counts as not set.
func (l *loaded) layers(path string, file, env map[string]string) []layer {
	defaults, fromFile, fromEnv := layer{}, layer{}, layer{}
	for _, s := range settings() {
		defaults[s.key] = s.def
		l.origin[s.key] = "default"
		if v := file[s.key]; v != "" {
			fromFile[s.key] = v
			l.origin[s.key] = path
		}
		if v := env[s.env]; v != "" {
			fromEnv[s.key] = v
			l.origin[s.key] = s.env
		}
	}
	return []layer{defaults, fromFile, fromEnv}
}

// decode fills the Config from the merged values.
func decode(k *koanf.Koanf, out *loaded) []error {
	var problems []error
	for _, s := range settings() {
		v, err := s.parse(k.String(s.key))
		if err != nil {
			problems = append(problems, sluice.Errorf(sluice.CodeConfig, "%s (from %s): %v", s.key, out.origin[s.key], err))
			continue
		}
		reflect.ValueOf(&out.Config).Elem().Field(s.field).Set(v)
	}
	return problems
}

// readFile finds and reads the configuration file. A file that was named must
// exist; the customary ones need not.
func readFile(in sources) (path string, text []byte, err error) {
	named := in.file
	if named == "" {
		named = environment(in.environ)[fileVariable]
	}
	candidates := []string{"config.yaml", filepath.Join("config", "config.yaml")}
	if named != "" {
		candidates = []string{named}
	}
	for _, c := range candidates {
		full := c
		if !filepath.IsAbs(full) {
			full = filepath.Join(in.dir, full)
		}
		text, err := readBounded(full)
		if errors.Is(err, fs.ErrNotExist) && named == "" {
			continue
		}
		if err != nil {
			return "", nil, sluice.Errorf(sluice.CodeConfig, "cannot read the configuration file %s", c).Because(err)
		}
		return c, text, nil
	}
	return "", nil, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Size() > maxConfigBytes {
		return nil, fmt.Errorf("it is a folder, or larger than %d bytes", maxConfigBytes)
	}
	return os.ReadFile(path)
}

// flattenFile reads YAML into "section.key" -> text.
func flattenFile(path string, text []byte) (map[string]string, error) {
	var tree map[string]any
	if err := yaml.UnmarshalStrict(text, &tree); err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "%s is not valid YAML: %v", path, err)
	}
	flat := map[string]string{}
	flatten("", tree, flat)
	return foldMaps(flat), nil
}

// foldMaps makes one value of each setting that is a map: "billing.endings.error"
// becomes a pair of "billing.endings".
func foldMaps(flat map[string]string) map[string]string {
	for _, s := range settings() {
		if s.typ != reflect.TypeFor[map[string]string]() {
			continue
		}
		members := map[string]string{}
		for key, value := range flat {
			if name, ok := strings.CutPrefix(key, s.key+"."); ok {
				members[name] = value
				delete(flat, key)
			}
		}
		if len(members) > 0 {
			flat[s.key] = joinMap(members)
		}
	}
	return flat
}

func flatten(prefix string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			flatten(strings.TrimPrefix(prefix+"."+name, "."), child, into)
		}
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = fmt.Sprint(item)
		}
		into[prefix] = strings.Join(parts, ",")
	case float64:
		into[prefix] = strconv.FormatFloat(v, 'f', -1, 64)
	case nil:
		into[prefix] = ""
	default:
		into[prefix] = fmt.Sprint(v)
	}
}

// unknownKeys makes every key of the file that is no setting an error: a typing
// error in a limit must not silently leave the default in force.
func unknownKeys(path string, file map[string]string) []error {
	known := make([]string, 0, 32)
	for _, s := range settings() {
		known = append(known, s.key)
	}
	var problems []error
	for _, key := range sortedKeys(file) {
		if !slices.Contains(known, key) {
			problems = append(problems, sluice.Errorf(sluice.CodeConfig, "%s: unknown key %q%s", path, key, didYouMean(key, known)))
		}
	}
	return problems
}

// unknownVariables warns of EZ_ and SLUICE_ variables that nothing reads; they
// may belong to another program, so they are no errors.
func unknownVariables(env map[string]string) []string {
	known := append([]string{fileVariable}, clientVariables...)
	for _, s := range settings() {
		known = append(known, s.env)
	}
	var warnings []string
	for _, name := range sortedKeys(env) {
		if !slices.Contains(known, name) {
			warnings = append(warnings, fmt.Sprintf("unknown variable %s%s", name, didYouMean(name, known)))
		}
	}
	return warnings
}

// overruled warns when EZ_API_PORT takes the place of a port that was set, too.
func overruled(l *loaded) []string {
	if l.ControlPort != 0 && l.isSet("control.addr") && l.controlAddr() != l.ControlAddr {
		return []string{fmt.Sprintf("EZ_API_PORT replaces the port of SLUICE_CONTROL_ADDR: control listens on %s", l.controlAddr())}
	}
	return nil
}

// environment returns our own variables that have a value.
func environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && (strings.HasPrefix(name, "EZ_") || strings.HasPrefix(name, "SLUICE_")) {
			env[name] = value
		}
	}
	return env
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
