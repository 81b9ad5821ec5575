package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"github.com/sluicegate/sluice"
)

// formats are the string formats of the dialect. Each returns what the value
// should have been, in words, or "" when it is fine.
var formats = map[string]func(string) string{
	"cidr":   describeUnless(validCIDR, "an IP address or a network such as 10.0.0.0/8"),
	"uri":    describeUnless(validURI, "an absolute http(s) URL"),
	"regex":  describeUnless(validRegex, "a regular expression of at most 1000 characters (RE2)"),
	"header": describeUnless(fieldName.MatchString, "a header name"),
	"origin": describeUnless(validOrigin, "an origin such as https://app.example.com, without a path"),
}

var fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")

func describeUnless(valid func(string) bool, want string) func(string) string {
	return func(s string) string {
		if valid(s) {
			return ""
		}
		return want
	}
}

func validCIDR(s string) bool {
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Zone() == ""
}

func validURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func validOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && u.User == nil && u.Scheme+"://"+u.Host == s
}

func validRegex(s string) bool {
	_, err := regexp.Compile(s)
	return err == nil && len(s) <= 1000
}

// compileSchema prepares a schema document for validation. Formats are
// asserted, and nothing is ever fetched.
func compileSchema(document map[string]any) (*jsonschema.Schema, error) {
	const here = "mem://sluice/plugin.json"
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	c.AssertFormat()
	for name, check := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: asFormat(check)})
	}
	if err := c.AddResource(here, document); err != nil {
		return nil, err
	}
	return c.Compile(here)
}

func asFormat(check func(string) string) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); ok {
			if want := check(s); want != "" {
				return errors.New(want)
			}
		}
		return nil
	}
}

// parseJSON reads one JSON value and keeps numbers exact.
func parseJSON(raw []byte) (any, error) { return jsonschema.UnmarshalJSON(bytes.NewReader(raw)) }

// explain turns the validator's tree of causes into the one error a person
// needs: the pointer to the value and what is wrong with it.
func explain(err error) error {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("validate plugin configuration: %w", err)
	}
	leaf := blame(invalid)
	at := pointer(leaf.InstanceLocation)
	message, member := describe(leaf.ErrorKind)
	if member != "" {
		at += "/" + escapePointer(member)
	}
	return sluice.Errorf(sluice.CodePluginConfig, "%s %s", orText(at, "the configuration"), message).At(at)
}

// blame walks to the first cause that is a fact of its own. Of a union it takes
// the branch that the discriminator chose, because the others fail by design.
func blame(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(e.Causes) > 0 {
		next := e.Causes[0]
		if _, ok := e.ErrorKind.(*kind.OneOf); ok {
			for _, branch := range e.Causes {
				if !failsConst(branch) {
					next = branch
					break
				}
			}
		}
		e = next
	}
	return e
}

func failsConst(e *jsonschema.ValidationError) bool {
	if _, ok := e.ErrorKind.(*kind.Const); ok {
		return true
	}
	for _, c := range e.Causes {
		if failsConst(c) {
			return true
		}
	}
	return false
}

// describe says in words what a keyword demands, and names the member that is
// to blame when it is not the value itself.
func describe(k jsonschema.ErrorKind) (message, member string) {
	switch k := k.(type) {
	case *kind.AdditionalProperties:
		return "is not a known field", k.Properties[0]
	case *kind.Required:
		return "is required", k.Missing[0]
	case *kind.Type:
		return fmt.Sprintf("must be %s, not %s", article(strings.Join(k.Want, " or ")), k.Got), ""
	case *kind.Enum:
		return "must be one of " + join(k.Want), ""
	case *kind.Const:
		return fmt.Sprintf("must be %v or another variant", k.Want), ""
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString(), ""
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString(), ""
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want), ""
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want), ""
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want), ""
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want), ""
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d entries", k.Want), ""
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d entries", k.Want), ""
	case *kind.Pattern:
		return "must match " + k.Want, ""
	case *kind.Format:
		return fmt.Sprintf("must be %v", k.Err), ""
	}
	return "breaks the rule " + strings.Join(k.KeywordPath(), "/"), ""
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func join(values []any) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ", ")
}

// pointer renders a location as a JSON pointer (RFC 6901).
func pointer(location []string) string {
	var b strings.Builder
	for _, part := range location {
		b.WriteString("/" + escapePointer(part))
	}
	return b.String()
}

func escapePointer(part string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
}

// decodeAs decodes a validated value into the configuration struct.
func decodeAs[C any](value any) (C, error) {
	var cfg C
	b, err := json.Marshal(value)
	if err != nil {
		return cfg, fmt.Errorf("encode completed configuration: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cfg); err != nil {
		return cfg, decodeError(err)
	}
	return cfg, nil
}

// decodeError covers what a schema allows and Go does not: a number that is
// out of the range of its type.
func decodeError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		at := "/" + strings.ReplaceAll(wrong.Field, ".", "/")
		return sluice.Errorf(sluice.CodePluginConfig, "%s holds a %s that is out of range", at, wrong.Value).At(at)
	}
	return sluice.Errorf(sluice.CodePluginConfig, "the configuration cannot be read").Because(err)
}
