package plugin

import (
	"bytes"
	"encoding/json"

	"github.com/sluicegate/sluice"
)

// Limits of one configuration.
const (
	maxConfigBytes   = 256 << 10 // one plugin's configuration
	maxErrorResponse = 64 << 10  // _meta.error_response
	maxPriority      = 1_000_000 // either side of zero
)

// Vars answers what a predicate asks about a request; [Exchange] implements it.
type Vars interface {
	// Var returns the value of a variable and whether it exists.
	Var(name string) (string, bool)
}

// FilterCompiler compiles the predicate of _meta.filter. It is injected, so
// that this contract does not depend on a predicate language. The returned
// function is called concurrently and must be quick and total.
type FilterCompiler func(raw json.RawMessage) (func(Vars) bool, error)

// Meta is the "_meta" member that every configuration may hold.
type Meta struct {
	// Disable takes the plugin out, also against a lower layer that has it.
	Disable bool `json:"disable,omitempty"`
	// Priority replaces the plugin's own; nil keeps it.
	Priority *int `json:"priority,omitempty"`
	// Filter is a predicate; the plugin is skipped in every phase in which it
	// does not hold.
	Filter json.RawMessage `json:"filter,omitempty"`
	// ErrorResponse, an object or a string, replaces the body of the plugin's
	// refusals; the status stays.
	ErrorResponse json.RawMessage `json:"error_response,omitempty"`
}

// MetaSchema returns the JSON Schema of "_meta". It stands beside the plugins'
// own, because a predicate is not part of their dialect: forms show it with a
// widget of its own.
func MetaSchema() json.RawMessage {
	return json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{` +
		`"disable":{"type":"boolean","default":false,"title":"Disable","description":"Takes the plugin out, also against a lower layer.","x-sluice":{"order":1,"i18n":{"en":{"title":"Disable"},"zh":{"title":"停用"}}}},` +
		`"priority":{"type":"integer","minimum":-1000000,"maximum":1000000,"title":"Priority","description":"Replaces the plugin's own priority; the higher runs first.","x-sluice":{"order":2,"i18n":{"en":{"title":"Priority"},"zh":{"title":"优先级"}}}},` +
		`"filter":{"type":"array","title":"Filter","description":"Runs the plugin only for requests that the predicate holds for.","x-sluice":{"order":3,"widget":"predicate","i18n":{"en":{"title":"Filter"},"zh":{"title":"条件"}}}},` +
		`"error_response":{"type":["object","string"],"title":"Error response","description":"Replaces the body of the plugin's refusals.","x-sluice":{"order":4,"widget":"json","i18n":{"en":{"title":"Error response"},"zh":{"title":"错误响应"}}}}}}`)
}

// readMeta decodes and checks _meta. Its errors point below "/_meta".
func readMeta(raw json.RawMessage) (Meta, error) {
	var m Meta
	if raw == nil {
		return m, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, sluice.Errorf(sluice.CodePluginConfig, "/_meta must be an object with disable, priority, filter and error_response").At("/_meta").Because(err)
	}
	if m.Priority != nil && (*m.Priority < -maxPriority || *m.Priority > maxPriority) {
		return m, sluice.Errorf(sluice.CodePluginConfig, "/_meta/priority must be -%d to %d", maxPriority, maxPriority).At("/_meta/priority")
	}
	if m.ErrorResponse == nil {
		return m, nil
	}
	if c := m.ErrorResponse[0]; c != '{' && c != '"' || len(m.ErrorResponse) > maxErrorResponse {
		return m, sluice.Errorf(sluice.CodePluginConfig, "/_meta/error_response must be an object or a string of at most %d bytes", maxErrorResponse).At("/_meta/error_response")
	}
	return m, nil
}

// parsed is a configuration that has been validated and completed.
type parsed struct {
	meta   Meta
	filter func(Vars) bool // nil runs always
	config any
}

// parse validates a configuration against the schema, completes it with the
// defaults and compiles its filter. A configuration that only disables the
// plugin needs no other member.
func (s *Spec) parse(raw json.RawMessage, filters FilterCompiler) (p parsed, err error) {
	if len(raw) > maxConfigBytes {
		return p, sluice.Errorf(sluice.CodePluginConfig, "the configuration is larger than %d bytes", maxConfigBytes)
	}
	value, err := parseJSON(raw)
	if err != nil {
		return p, sluice.Errorf(sluice.CodePluginConfig, "the configuration is not valid JSON").Because(err)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return p, sluice.Errorf(sluice.CodePluginConfig, "the configuration must be an object")
	}
	if p, err = parseMeta(raw, filters); err != nil {
		return p, err
	}
	delete(object, "_meta")
	if p.meta.Disable && len(object) == 0 {
		return p, nil
	}
	if err := s.schema.Validate(object); err != nil {
		return p, explain(err)
	}
	complete(s.document, object)
	p.config = object
	return p, nil
}

// parseMeta reads _meta from the raw bytes, because a predicate must reach its
// compiler as it was written.
func parseMeta(raw json.RawMessage, filters FilterCompiler) (p parsed, err error) {
	var carrier struct {
		Meta json.RawMessage `json:"_meta"`
	}
	if err := json.Unmarshal(raw, &carrier); err != nil {
		return p, sluice.Errorf(sluice.CodePluginConfig, "the configuration is not valid JSON").Because(err)
	}
	if p.meta, err = readMeta(carrier.Meta); err != nil || p.meta.Filter == nil {
		return p, err
	}
	if filters == nil {
		return p, sluice.Errorf(sluice.CodePluginConfig, "/_meta/filter is not available here").At("/_meta/filter")
	}
	if p.filter, err = filters(p.meta.Filter); err != nil {
		return p, sluice.Errorf(sluice.CodePluginConfig, "/_meta/filter: %s", messageOf(err)).At("/_meta/filter")
	}
	return p, nil
}

// messageOf is the part of an error that whoever configures may read.
func messageOf(err error) string {
	if sluice.CodeOf(err) == sluice.CodeInternal {
		return err.Error()
	}
	return sluice.AsError(err).Message
}
