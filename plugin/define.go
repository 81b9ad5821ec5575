package plugin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sluicegate/sluice"
)

// Env is what a plugin may use of its surroundings, instead of globals.
type Env struct {
	// Log is the plugin's logger; [Registry.Compile] adds the plugin's name.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Owner names the object that carries the configuration, for instance
	// "routes/17". It stays the same when the configuration changes, so a plugin
	// that claims from a limit makes it part of its bucket.
	Owner string
}

// Spec is one plugin as it can be configured: its name, its schema and how a
// configuration becomes a [Plugin]. [Define] makes it; it is immutable and safe
// for concurrent use.
type Spec struct {
	// Name identifies the plugin in configurations: lower case with dashes.
	Name string
	// Summary says in one English sentence what it does.
	Summary string
	// SummaryZH is the same sentence in Chinese.
	SummaryZH string
	// Priority orders plugins within a phase, the higher number first.
	Priority int
	// Auth marks plugins that name the consumer; see [Authenticates].
	Auth bool
	// Early marks plugins that need no consumer; see [BeforeConsumer].
	Early bool
	// Examples are configurations that the documentation shows, each valid.
	Examples []json.RawMessage

	document map[string]any
	schema   *jsonschema.Schema
	make     func(raw any, env Env) (Plugin, error)
	problem  error
}

// Option adds a property to a [Spec].
type Option func(*Spec)

// Authenticates marks a plugin that sets [Exchange.Consumer]. It runs before
// everything that may depend on the consumer, and only from layers that do not
// belong to one: what a key carries cannot decide who presents it.
func Authenticates() Option { return func(s *Spec) { s.Auth = true } }

// BeforeConsumer marks a plugin that runs beside the authenticating ones, in
// order of priority, because it needs no consumer or must answer requests that
// never have one (a CORS preflight). A configuration that a group or key brings
// still runs once the consumer is known.
func BeforeConsumer() Option { return func(s *Spec) { s.Early = true } }

// SummaryZH sets the Chinese summary.
func SummaryZH(text string) Option { return func(s *Spec) { s.SummaryZH = text } }

// Example adds a configuration in JSON for the documentation and the console.
func Example(config string) Option {
	return func(s *Spec) { s.Examples = append(s.Examples, json.RawMessage(config)) }
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// Define describes a plugin whose configuration is the struct C. Its JSON
// Schema is generated from C's fields and tags (see schema.go for the tags);
// configurations are validated against it, completed with its defaults and
// decoded strictly before create sees them. create checks what a schema cannot
// say and returns a pointer; its errors should be *sluice.Error with
// [sluice.CodePluginConfig] and Field set to a pointer into the configuration.
//
// A mistake in C or the name is reported by [New], not here.
func Define[C any](name, summary string, priority int, create func(cfg C, env Env) (Plugin, error), opts ...Option) Spec {
	s := Spec{Name: name, Summary: summary, Priority: priority}
	for _, opt := range opts {
		opt(&s)
	}
	s.make = func(raw any, env Env) (Plugin, error) {
		cfg, err := decodeAs[C](raw)
		if err != nil {
			return nil, err
		}
		return create(cfg, env)
	}
	s.problem = s.describe(reflect.TypeFor[C]())
	return s
}

// describe generates and compiles the schema and checks the definition itself.
func (s *Spec) describe(config reflect.Type) (err error) {
	if !namePattern.MatchString(s.Name) {
		return fmt.Errorf("define plugin %q: the name must match %s", s.Name, namePattern)
	}
	if s.document, err = objectSchema(config); err != nil {
		return fmt.Errorf("define plugin %s: %w", s.Name, err)
	}
	if err = checkNode(s.document, "", 0); err != nil {
		return fmt.Errorf("define plugin %s: %w", s.Name, err)
	}
	if s.schema, err = compileSchema(s.document); err != nil {
		return fmt.Errorf("define plugin %s: compile schema: %w", s.Name, err)
	}
	for i, example := range s.Examples {
		if _, err := s.parse(example, nil); err != nil {
			return fmt.Errorf("define plugin %s: example %d: %w", s.Name, i, err)
		}
	}
	return nil
}

// Schema returns the JSON Schema of the configuration, in the closed dialect
// that [CheckSchema] checks. The "_meta" member that every configuration may
// hold is not part of it; see [MetaSchema].
func (s *Spec) Schema() json.RawMessage {
	b, err := json.Marshal(s.document)
	if err != nil {
		panic("plugin: a schema of maps and strings must marshal: " + err.Error())
	}
	return b
}

// build makes the plugin of a parsed configuration.
func (s *Spec) build(p parsed, env Env) (Plugin, error) {
	made, err := s.make(p.config, env)
	if err != nil {
		return nil, configError(err)
	}
	if made == nil || reflect.TypeOf(made).Kind() != reflect.Pointer {
		return nil, fmt.Errorf("create plugin %s: got %T, want a pointer", s.Name, made)
	}
	return made, nil
}

// configError gives an error without a code the code of a bad configuration,
// because its text was written by the plugin for whoever configures it.
func configError(err error) error {
	if sluice.CodeOf(err) == sluice.CodeInternal {
		return sluice.Errorf(sluice.CodePluginConfig, "%v", err)
	}
	return err
}
