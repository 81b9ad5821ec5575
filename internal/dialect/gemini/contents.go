package gemini

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// unsigned stands in for the signature of a call that another model made: the
// value that Google documents for this, without which its models from Gemini 3
// on refuse the conversation.
const unsigned = "skip_thought_signature_validator"

// turns writes the conversation: instructions apart, roles alternating, a user
// first.
func (e *encoder) turns() error {
	system, turns := e.chat.Split()
	if err := e.system(system); err != nil {
		return err
	}
	for _, turn := range form.Merged(turns) {
		if err := e.turn(&turn); err != nil {
			return err
		}
	}
	first := e.out.Contents
	if len(first) == 0 || first[0].Role != roleUser {
		// A conversation begins with a user. A space says nothing, and empty
		// text is refused.
		e.out.Contents = append([]content{{Role: roleUser, Parts: []part{textPart(" ")}}}, first...)
	}
	return nil
}

// system writes the instructions, which are text.
func (e *encoder) system(parts []form.Part) error {
	var out content
	for i := range parts {
		p := &parts[i]
		if p.Kind != form.PartText {
			return form.Refuse(p.Field, "instructions can hold text only")
		}
		if err := e.cacheMark(p.Cache, p.Field); err != nil {
			return err
		}
		if p.Text != "" {
			out.Parts = append(out.Parts, textPart(p.Text))
		}
	}
	if len(out.Parts) > 0 {
		e.out.SystemInstruction = &out
	}
	return nil
}

func textPart(text string) part { return part{Text: &text} }

// cacheMark drops a cache mark: Google caches by itself.
func (e *encoder) cacheMark(mark form.Cache, field string) error {
	if mark == form.CacheNone {
		return nil
	}
	return e.target.Drop("cache_control", field)
}

// turn writes one turn; one that has nothing to say is left out.
func (e *encoder) turn(t *form.Turn) error {
	out := content{Role: roleModel}
	var err error
	if t.Role == form.RoleUser {
		out.Role = roleUser
		out.Parts, err = e.userParts(t)
	} else {
		out.Parts, err = e.modelParts(t)
	}
	if err != nil || len(out.Parts) == 0 {
		return err
	}
	if last := len(e.out.Contents) - 1; last >= 0 && e.out.Contents[last].Role == out.Role {
		e.out.Contents[last].Parts = append(e.out.Contents[last].Parts, out.Parts...)
		return nil
	}
	e.out.Contents = append(e.out.Contents, out)
	return nil
}

// userParts writes a user's turn: results first, in the order of their calls, as
// many as there were calls.
func (e *encoder) userParts(t *form.Turn) (parts []part, err error) {
	var pictures []part
	results := make([]*part, len(e.waiting))
	for i := range t.Parts {
		p := &t.Parts[i]
		if err := e.cacheMark(p.Cache, p.Field); err != nil {
			return nil, err
		}
		if p.Kind != form.PartResult {
			if parts, err = e.append(parts, p); err != nil {
				return nil, err
			}
			continue
		}
		at := e.callOf(p.Result, results)
		if at < 0 {
			return nil, form.Refuse(p.Field, "no call before it waits for this result")
		}
		result, shown, err := e.result(p, e.waiting[at])
		if err != nil {
			return nil, err
		}
		results[at] = &result
		pictures = append(pictures, shown...)
	}
	ordered := make([]part, 0, len(results)+len(pictures)+len(parts))
	for i, result := range results {
		if result == nil {
			return nil, form.Refuse(t.Field, "the call %q of %q has no result", clip(e.waiting[i].ID), clip(e.waiting[i].Name))
		}
		ordered = append(ordered, *result)
	}
	e.waiting = nil
	return append(append(ordered, pictures...), parts...), nil
}

// callOf finds the call that a result is for, by id or, without one, by name;
// -1 when none waits.
func (e *encoder) callOf(r *form.Result, results []*part) int {
	for i, c := range e.waiting {
		if results[i] == nil && (c.ID == r.ID || r.ID == "" && c.Name == r.Name) {
			return i
		}
	}
	return -1
}

// result writes what a tool answered, as text under Google's names: as an object
// of its own it could hold "$ref", which Google follows. Pictures go along where
// the model can look at them there, or else behind the results.
func (e *encoder) result(p *form.Part, call form.Call) (out part, shown []part, err error) {
	key := "output"
	if p.Result.IsError {
		key = "error"
	}
	name := e.toolName(call.Name)
	response := mustJSON(map[string]string{key: form.Text(p.Result.Parts, "\n")})
	answer := functionResult{ID: call.ID, Name: name, Response: response}
	for i := range p.Result.Parts {
		inner := &p.Result.Parts[i]
		if err := e.cacheMark(inner.Cache, inner.Field); err != nil {
			return part{}, nil, err
		}
		if inner.Kind == form.PartText {
			continue
		}
		if inner.Media == nil {
			return part{}, nil, form.Refuse(inner.Field, "a tool's result can hold text, images and files only")
		}
		written, err := e.media(inner)
		if err != nil {
			return part{}, nil, err
		}
		if e.family == familyLevel && written.InlineData != nil {
			answer.Parts = append(answer.Parts, functionMedia{InlineData: written.InlineData})
			continue
		}
		shown = append(shown, written)
	}
	return part{FunctionResponse: &answer}, shown, nil
}

// append writes a part of a user's turn.
func (e *encoder) append(to []part, p *form.Part) ([]part, error) {
	switch {
	case p.Kind == form.PartText || p.Kind == form.PartRefusal:
		if p.Text == "" {
			return to, nil
		}
		return append(to, textPart(p.Text)), nil
	case p.Media != nil:
		written, err := e.media(p)
		return append(to, written), err
	case p.Kind == form.PartOther && p.Origin == form.OriginGemini:
		return append(to, part{raw: p.Raw}), nil
	case p.Kind == form.PartOther:
		kind, _ := jsonscan.Text(p.Raw, jsonscan.Find(p.Raw, jsonscan.At(p.Raw, 0), "type"))
		if kind == "" {
			kind = "content"
		}
		return to, e.target.Drop(kind, p.Field)
	}
	return to, form.Refuse(p.Field, "a part of kind %s cannot stand in a user's turn", p.Kind)
}

// modelParts writes a turn of the model. What waits for results from before was
// never answered.
func (e *encoder) modelParts(t *form.Turn) (parts []part, err error) {
	if len(e.waiting) > 0 {
		return nil, form.Refuse(t.Field, "the call %q of %q has no result", clip(e.waiting[0].ID), clip(e.waiting[0].Name))
	}
	pending := "" // a signature that stands alone
	for i := range t.Parts {
		p := &t.Parts[i]
		if err := e.cacheMark(p.Cache, p.Field); err != nil {
			return nil, err
		}
		switch p.Kind {
		case form.PartReasoning:
			parts = sign(parts, pending)
			pending = ""
			signature := p.Signature.For(form.OriginGemini)
			if p.Text == "" || signature == "" {
				// Thoughts are not needed back, only proofs of them.
				pending = signature
				continue
			}
			thought := textPart(p.Text)
			thought.Thought, thought.ThoughtSignature = true, signature
			parts = append(parts, thought)
		case form.PartCall:
			call, err := e.call(p, pending)
			if err != nil {
				return nil, err
			}
			pending = ""
			parts = append(parts, call)
		default:
			parts = sign(parts, pending)
			pending = ""
			if parts, err = e.append(parts, p); err != nil {
				return nil, err
			}
		}
	}
	return e.proven(sign(parts, pending)), nil
}

// sign puts a signature that stands alone on the text before it, where whole
// answers have it, or else on a text of its own.
func sign(parts []part, signature string) []part {
	if signature == "" {
		return parts
	}
	if last := len(parts) - 1; last >= 0 && parts[last].Text != nil && parts[last].ThoughtSignature == "" {
		parts[last].ThoughtSignature = signature
		return parts
	}
	empty := textPart("")
	empty.ThoughtSignature = signature
	return append(parts, empty)
}

// proven sees to it that the first call is signed, where the model demands it.
func (e *encoder) proven(parts []part) []part {
	if e.family != familyLevel {
		return parts
	}
	for i := range parts {
		if parts[i].FunctionCall == nil {
			continue
		}
		if parts[i].ThoughtSignature == "" {
			parts[i].ThoughtSignature = unsigned
		}
		break
	}
	return parts
}

// call writes a call and waits for its result.
func (e *encoder) call(p *form.Part, signature string) (part, error) {
	args := json.RawMessage(strings.TrimSpace(p.Call.Arguments))
	switch {
	case p.Call.Custom:
		args = mustJSON(map[string]string{customInput: p.Call.Arguments})
	case len(args) == 0, string(args) == "null":
		args = json.RawMessage("{}")
	case jsonscan.At(args, 0).Kind != jsonscan.Object || !json.Valid(args):
		return part{}, form.Refuse(p.Field, "the arguments of the call must be a JSON object")
	}
	e.waiting = append(e.waiting, *p.Call)
	if own := p.Signature.For(form.OriginGemini); own != "" {
		signature = own
	}
	name := e.toolName(p.Call.Name)
	return part{FunctionCall: &functionCall{ID: p.Call.ID, Name: name, Args: args}, ThoughtSignature: signature}, nil
}

// media writes an image, a recording or a document.
func (e *encoder) media(p *form.Part) (part, error) {
	m := p.Media
	if m.Detail != "" && m.Detail != "auto" {
		if err := e.target.Drop("detail", p.Field); err != nil {
			return part{}, err
		}
	}
	switch {
	case m.Plain != "":
		return textPart(m.Plain), nil
	case m.FileID != "":
		return part{}, form.Refuse(p.Field, "a file that was uploaded to another provider cannot be used here")
	case m.Data != "":
		return part{InlineData: &blob{MimeType: mediaType(p, sniff(m.Data)), Data: m.Data}}, nil
	case strings.HasPrefix(m.URL, "https://"), strings.HasPrefix(m.URL, "gs://"):
		return part{FileData: &fileData{MimeType: mediaType(p, typeOf(m.URL)), FileURI: m.URL}}, nil
	}
	return part{}, form.Refuse(p.Field, "the provider fetches https and gs URLs only; send the data instead")
}

// mediaType is the type that was stated, or guessed, or usual for the kind.
func mediaType(p *form.Part, guess string) string {
	switch {
	case p.Media.Type != "":
		return p.Media.Type
	case guess != "":
		return guess
	}
	switch p.Kind {
	case form.PartImage:
		return "image/jpeg"
	case form.PartAudio:
		return "audio/wav"
	case form.PartVideo:
		return "video/mp4"
	}
	return "application/pdf"
}
