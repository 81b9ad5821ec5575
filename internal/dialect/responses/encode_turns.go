package responses

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// Items as they are sent. Members that must be there have no omitempty.
type (
	sentMessage struct {
		Type    string `json:"type"`
		Role    string `json:"role"`
		Content []any  `json:"content"`
	}
	sentCall struct {
		Type      string  `json:"type"`
		CallID    string  `json:"call_id"`
		Name      string  `json:"name"`
		Arguments *string `json:"arguments,omitempty"`
		Input     *string `json:"input,omitempty"`
	}
	sentOutput struct {
		Type   string `json:"type"`
		CallID string `json:"call_id"`
		Output any    `json:"output"`
	}
	sentThought struct {
		Type             string     `json:"type"`
		Summary          []sentText `json:"summary"`
		EncryptedContent string     `json:"encrypted_content"`
	}
	sentText struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	sentRefusal struct {
		Type    string `json:"type"`
		Refusal string `json:"refusal"`
	}
)

// turns writes the conversation. What the system says first are instructions;
// later it is a message of the developer, in its place.
func (e *encoder) turns() error {
	begun := false
	for i := range e.chat.Turns {
		t := &e.chat.Turns[i]
		if t.Role == form.RoleSystem && !begun && onlyText(t.Parts) {
			for j := range t.Parts {
				e.mark(&t.Parts[j])
				e.to.Instructions = joinText(e.to.Instructions, t.Parts[j].Text)
			}
			continue
		}
		begun = true
		if err := e.turn(t); err != nil {
			return err
		}
	}
	return e.alone()
}

// alone makes instructions that nothing follows the input, which must not be
// empty.
func (e *encoder) alone() error {
	switch {
	case len(e.to.Input) > 0:
		return nil
	case e.to.Instructions == "":
		return form.Refuse("", "the conversation holds nothing that the provider of this model can be told")
	}
	e.to.Input = append(e.to.Input, sentMessage{Type: "message", Role: "developer", Content: []any{sentText{"input_text", e.to.Instructions}}})
	e.to.Instructions = ""
	return nil
}

func onlyText(parts []form.Part) bool {
	for i := range parts {
		if parts[i].Kind != form.PartText {
			return false
		}
	}
	return true
}

// mark notes a cache mark: OpenAI caches without being told.
func (e *encoder) mark(p *form.Part) {
	if p.Cache != form.CacheNone && e.marked == "" {
		e.marked = p.Field
	}
}

// wireRoles are the roles of messages.
var wireRoles = map[form.Role]string{form.RoleSystem: "developer", form.RoleUser: "user", form.RoleAssistant: "assistant"}

// turn writes one turn: its messages and, between them, what is an item of its
// own.
func (e *encoder) turn(t *form.Turn) error {
	message := sentMessage{Type: "message", Role: wireRoles[t.Role]}
	flush := func() {
		if len(message.Content) > 0 {
			e.to.Input = append(e.to.Input, message)
			message.Content = nil
		}
	}
	for i := range t.Parts {
		p := &t.Parts[i]
		e.mark(p)
		if spoken, err := e.spoken(t.Role, p); err != nil {
			return err
		} else if spoken != nil {
			message.Content = append(message.Content, spoken)
			continue
		}
		it, err := e.item(p)
		if err != nil {
			return err
		}
		if it != nil {
			flush()
			e.to.Input = append(e.to.Input, it)
		}
	}
	flush()
	return nil
}

// spoken writes a part that belongs into a message; nil if it is none.
func (e *encoder) spoken(role form.Role, p *form.Part) (any, error) {
	switch p.Kind {
	case form.PartText:
		if p.Text == "" {
			return nil, nil
		}
		if role == form.RoleAssistant {
			return sentText{"output_text", p.Text}, nil
		}
		return sentText{"input_text", p.Text}, nil
	case form.PartRefusal:
		return sentRefusal{"refusal", p.Text}, nil
	case form.PartImage, form.PartFile, form.PartAudio, form.PartVideo:
		if role == form.RoleAssistant {
			return nil, form.Refuse(p.Field, "the assistant's messages can hold text only at the provider of this model")
		}
		return media(p)
	}
	return nil, nil
}

// item writes a part that is an item of its own; nil if it is left out.
func (e *encoder) item(p *form.Part) (any, error) {
	switch p.Kind {
	case form.PartCall:
		c := p.Call
		sent := sentCall{Type: "function_call", CallID: c.ID, Name: e.name(c.Name)}
		if c.Custom {
			e.noteCustom(c.ID)
			sent.Type, sent.Input = "custom_tool_call", &c.Arguments
		} else {
			sent.Arguments = &c.Arguments
		}
		return sent, nil
	case form.PartResult:
		return e.output(p)
	case form.PartReasoning:
		return e.thought(p), nil
	case form.PartOther:
		if p.Origin != form.OriginOpenAI {
			return nil, e.target.Drop(otherName(p), p.Field)
		}
		return json.RawMessage(p.Raw), nil
	}
	return nil, nil
}

// otherName is how a part of another protocol is named when it is dropped.
func otherName(p *form.Part) string {
	var kind struct{ Type string }
	if json.Unmarshal(p.Raw, &kind) == nil && kind.Type != "" {
		return kind.Type
	}
	return "content"
}

func (e *encoder) noteCustom(id string) {
	if e.custom == nil {
		e.custom = map[string]bool{}
	}
	e.custom[id] = true
}

// thought writes reasoning that this API sealed. What others signed, or nobody,
// would be refused: it is left out.
func (e *encoder) thought(p *form.Part) any {
	sealed := p.Signature.For(form.OriginOpenAI)
	if p.Sealed != "" && p.Signature.Origin == form.OriginOpenAI {
		sealed = p.Sealed
	}
	if sealed == "" {
		return nil
	}
	e.sealed = true
	sent := sentThought{Type: "reasoning", Summary: []sentText{}, EncryptedContent: sealed}
	if p.Text != "" {
		sent.Summary = append(sent.Summary, sentText{"summary_text", p.Text})
	}
	return sent
}

// output writes the result of a call: as text where it is nothing else.
func (e *encoder) output(p *form.Part) (any, error) {
	r := p.Result
	if r.IsError {
		if err := e.target.Drop("is_error", p.Field); err != nil {
			return nil, err
		}
	}
	sent := sentOutput{Type: "function_call_output", CallID: r.ID}
	if e.custom[r.ID] {
		sent.Type = "custom_tool_call_output"
	}
	if onlyText(r.Parts) {
		text := ""
		for i := range r.Parts {
			text = joinText(text, r.Parts[i].Text)
		}
		sent.Output = text
		return sent, nil
	}
	list := make([]any, 0, len(r.Parts))
	for i := range r.Parts {
		spoken, err := e.spoken(form.RoleUser, &r.Parts[i])
		if err != nil {
			return nil, err
		}
		if spoken != nil {
			list = append(list, spoken)
		}
	}
	sent.Output = list
	return sent, nil
}

// media writes an image or a document.
func media(p *form.Part) (any, error) {
	m := p.Media
	switch {
	case m == nil:
		return nil, nil
	case m.FileID != "":
		return nil, form.Refuse(p.Field, "the file %s is stored at another provider", m.FileID)
	case p.Kind == form.PartAudio || p.Kind == form.PartVideo:
		return nil, form.Refuse(p.Field, "the provider of this model takes no %s", p.Kind)
	case m.Plain != "":
		return sentText{"input_text", joinText(m.Name, m.Plain)}, nil
	case m.URL != "" && !isWeb(m.URL):
		return nil, form.Refuse(p.Field, "the provider of this model cannot fetch this URL")
	case p.Kind == form.PartImage:
		return content{Type: "input_image", ImageURL: address(m, "image/png"), Detail: detailOf(m)}, nil
	case m.URL != "":
		return content{Type: "input_file", FileURL: m.URL}, nil
	}
	name := m.Name
	if name == "" {
		name = "document.pdf"
	}
	return content{Type: "input_file", Filename: name, FileData: address(m, "application/pdf")}, nil
}

func detailOf(m *form.Media) string {
	if m.Detail == "" {
		return "auto"
	}
	return m.Detail
}

func isWeb(u string) bool {
	return len(u) > 8 && (u[:8] == "https://" || u[:7] == "http://")
}

// address is the URL of media, or its content as one.
func address(m *form.Media, usual string) string {
	if m.URL != "" {
		return m.URL
	}
	kind := m.Type
	if kind == "" {
		kind = usual
	}
	return "data:" + kind + ";base64," + m.Data
}
