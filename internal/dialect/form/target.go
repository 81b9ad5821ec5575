package form

import (
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// Target is the account and model that a request is written for, and collects
// what could not be expressed there. It is made for each attempt.
type Target struct {
	// Model is the provider's own name of the model.
	Model string
	// Entry is what the catalogue knows of the model; nil when nothing is known.
	Entry *sluice.Model
	// Strict refuses what would be dropped.
	Strict bool
	// Dropped names what was dropped, once each, in order: visible ASCII that a
	// response field can hold.
	Dropped []string
	// Logprobs tells that the probabilities of tokens were asked for.
	Logprobs bool
	// Room is memory in which the body may be written, from its beginning on; nil
	// when there is none.
	Room []byte
	// tools are those whose name or kind had to change, by the provider's name.
	tools map[string]named
}

// Bounds on the names of what is dropped: some are the client's own, and all of
// them travel in one response field.
const (
	maxDropped     = 64
	maxDroppedName = 64
)

// MaxOutput is the model's cap on one answer, 0 when it is not known.
func (t *Target) MaxOutput() int64 {
	if t.Entry == nil {
		return 0
	}
	return t.Entry.MaxOutputTokens
}

// Drop leaves a parameter of the client out because the target has no such
// thing: it is named to the client, or refused when the model's policy is
// strict. name is the client's own name of it and field where it stands ("" for
// "/"+name).
func (t *Target) Drop(name, field string) error {
	if t.Strict {
		if field == "" {
			field = "/" + name
		}
		return sluice.Errorf(sluice.CodeInvalidRequest, "%s cannot be expressed for the provider of this model, and the model's policy is strict", name).At(field)
	}
	name = showable(name)
	if len(t.Dropped) < maxDropped && !slices.Contains(t.Dropped, name) {
		t.Dropped = append(t.Dropped, name)
	}
	return nil
}

// showable is a name that fits into a field; one that does not is told without
// its words.
func showable(name string) string {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }
	if name == "" || len(name) > maxDroppedName || strings.ContainsFunc(name, odd) {
		return "(other)"
	}
	return name
}

// DropExtras drops every extra but those that known accepts (nil accepts none).
func (t *Target) DropExtras(extras []Extra, known func(Extra) bool) error {
	for _, x := range extras {
		if known != nil && known(x) {
			continue
		}
		if err := t.Drop(x.Name, ""); err != nil {
			return err
		}
	}
	return nil
}

// Refuse says that the request means something that the target cannot do, and
// that leaving it out would change what was asked.
func Refuse(field, format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, format, args...).At(field)
}
