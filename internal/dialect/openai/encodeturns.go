package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// writtenTurn is one element of messages. Content is a string, a list of parts,
// or nil.
type writtenTurn struct {
	Role     string        `json:"role"`
	Content  any           `json:"content"`
	Refusal  string        `json:"refusal,omitempty"`
	Thought  string        `json:"reasoning_content,omitempty"`
	Thoughts string        `json:"reasoning,omitempty"`
	Details  []detail      `json:"reasoning_details,omitempty"`
	Calls    []writtenCall `json:"tool_calls,omitempty"`
	ToolCall string        `json:"tool_call_id,omitempty"`
}

// paragraphs stand between texts that were parts of their own.
const paragraphs = "\n\n"

// turns writes the conversation.
func (e *chatEncoder) turns() error {
	turns := e.chat.Turns
	if e.quirks.leading {
		system, others := e.chat.Split()
		if turns = others; len(system) > 0 {
			turns = append([]form.Turn{{Role: form.RoleSystem, Parts: system}}, others...)
		}
	}
	for _, t := range form.Merged(turns) {
		var err error
		switch t.Role {
		case form.RoleSystem:
			err = e.system(t)
		case form.RoleAssistant:
			err = e.assistant(t)
		default:
			err = e.user(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *chatEncoder) add(t writtenTurn) { e.body.Messages = append(e.body.Messages, t) }

// system writes instructions. The older role is taken by every model; those
// that know the newer one read it as that.
func (e *chatEncoder) system(t form.Turn) error {
	content, err := e.content(t.Parts)
	e.add(writtenTurn{Role: "system", Content: content})
	return err
}

// user writes what a user says, behind the results of tools, which have to
// follow their calls at once.
func (e *chatEncoder) user(t form.Turn) error {
	var said, shown []form.Part
	for i := range t.Parts {
		p := &t.Parts[i]
		if p.Kind != form.PartResult {
			said = append(said, *p)
			continue
		}
		media, err := e.result(p)
		if err != nil {
			return err
		}
		shown = append(shown, media...)
	}
	if said = append(shown, said...); len(said) == 0 && hasResult(t.Parts) {
		return nil
	}
	content, err := e.content(said)
	e.add(writtenTurn{Role: "user", Content: content})
	return err
}

func hasResult(parts []form.Part) bool {
	for i := range parts {
		if parts[i].Kind == form.PartResult {
			return true
		}
	}
	return false
}

// result writes what a tool answered and returns what cannot be said there:
// messages of tools are text, so pictures follow in the user's own.
func (e *chatEncoder) result(p *form.Part) (shown []form.Part, err error) {
	r := p.Result
	for i := range r.Parts {
		if r.Parts[i].Kind != form.PartText {
			shown = append(shown, r.Parts[i])
		}
	}
	text := form.Text(r.Parts, paragraphs)
	if len(shown) > 0 {
		if text != "" {
			text += paragraphs
		}
		text += "What else belongs to this result is in the user's next message."
		shown = append([]form.Part{{Kind: form.PartText, Text: "This belongs to the result of the call " + e.callID(r.ID) + ":"}}, shown...)
	}
	if r.IsError {
		text = "Error: " + text
	}
	if _, err := e.cache(p.Cache, p.Field); err != nil {
		return nil, err
	}
	e.add(writtenTurn{Role: "tool", Content: text, ToolCall: e.callID(r.ID)})
	return shown, nil
}

// assistant writes what the model said.
func (e *chatEncoder) assistant(t form.Turn) error {
	w := writtenTurn{Role: "assistant"}
	var said []form.Part
	for i := range t.Parts {
		p := &t.Parts[i]
		switch p.Kind {
		case form.PartText:
			said = append(said, *p)
		case form.PartRefusal:
			w.Refusal += p.Text
		case form.PartReasoning:
			e.thought(&w, p)
		case form.PartCall:
			w.Calls = append(w.Calls, e.call(p))
		default:
			if err := e.target.Drop("messages.content."+string(p.Kind), p.Field); err != nil {
				return err
			}
		}
	}
	if !e.quirks.strict && w.Refusal != "" {
		said = append(said, form.Part{Kind: form.PartText, Text: w.Refusal})
		w.Refusal = ""
	}
	if len(said) > 0 || len(w.Calls) == 0 && w.Refusal == "" {
		content, err := e.content(said)
		if err != nil {
			return err
		}
		w.Content = content
	}
	e.add(w)
	return nil
}

// thought sends an earlier thought back to a provider that wants it; to others
// it means nothing.
func (e *chatEncoder) thought(w *writtenTurn, p *form.Part) {
	switch e.quirks.replays {
	case "reasoning_content":
		w.Thought += p.Text
	case "reasoning":
		w.Thoughts += p.Text
	case "reasoning_details":
		d := detail{Type: detailText, Text: p.Text, Signature: p.Signature.Value, Format: formatOf(p.Signature.Origin)}
		if p.Sealed != "" {
			d.Type, d.Data, d.Text, d.Signature = detailSealed, p.Sealed, "", ""
		}
		w.Details = append(w.Details, d)
	}
}

// call writes an earlier call.
func (e *chatEncoder) call(p *form.Part) writtenCall {
	part, call := *p, *p.Call
	part.Call = &call
	if call.Name = e.toolName(call.Name); call.Custom && !e.quirks.custom {
		call.Custom = false
		call.Arguments = string(jsonscan.AppendText([]byte(`{"`+customInput+`":`), call.Arguments)) + "}"
	}
	if signature := p.Signature.For(form.OriginGemini); signature == "" || !e.quirks.signs {
		part.Signature = form.Signature{}
	}
	w := callOf(&part, call.Arguments)
	w.ID = e.callID(w.ID)
	return w
}

// shortID is how long an id is where it has to be short.
const shortID = 9

// callID is an id in the provider's shape. One that has another is replaced by
// its digest, which is the same in the call and in its result.
func (e *chatEncoder) callID(id string) string {
	if !e.quirks.shortIDs || len(id) == shortID && strings.IndexFunc(id, notAlphanumeric) < 0 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])[:shortID]
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
