package openai

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// said is a delta or a message: what a model says, in the spellings of all
// providers.
type said struct {
	Content  json.RawMessage `json:"content"` // text, or parts (Mistral)
	Refusal  string          `json:"refusal"`
	Thought  string          `json:"reasoning_content"`
	Thoughts json.RawMessage `json:"reasoning"` // text (Groq, vLLM, OpenRouter)
	Details  []detail        `json:"reasoning_details"`
	Calls    []saidCall      `json:"tool_calls"`
	Function *saidFunction   `json:"function_call"`
	Images   []writtenImage  `json:"images"`
}

// saidCall is a call or a piece of one.
type saidCall struct {
	Index    *int          `json:"index"`
	ID       string        `json:"id"`
	Function *saidFunction `json:"function"`
	Custom   *saidFunction `json:"custom"`
	Extra    *extraContent `json:"extra_content"`
}

type saidFunction struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"` // text, or the object itself
	Input     string          `json:"input"`
}

// said tells what one delta or message holds: thoughts before text before
// calls.
func (d *decoder) said(e *ending, s *said) error {
	if err := d.thoughts(e.choice, s); err != nil {
		return err
	}
	if err := d.content(e.choice, s.Content); err != nil {
		return err
	}
	if s.Refusal != "" {
		if err := d.refusal(e.choice, s.Refusal); err != nil {
			return err
		}
	}
	if err := d.images(e.choice, s.Images); err != nil {
		return err
	}
	return d.calls(e, s)
}

// thoughts tells the reasoning, which some providers state twice.
func (d *decoder) thoughts(n int, s *said) error {
	detailed := false
	for i := range s.Details {
		detailed = detailed || s.Details[i].said() != ""
	}
	if !detailed {
		text := s.Thought
		if text == "" {
			_ = json.Unmarshal(s.Thoughts, &text) // elsewhere it is an object
		}
		if err := d.emitter.Reasoning(n, text); err != nil {
			return err
		}
	}
	for i := range s.Details {
		if err := d.detail(n, &s.Details[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) detail(n int, x *detail) error {
	if x.Type == detailSealed {
		if x.Data == "" {
			return nil
		}
		return d.emitter.Sealed(n, originOf(x.Format), x.Data)
	}
	if err := d.emitter.Reasoning(n, x.said()); err != nil {
		return err
	}
	return d.emitter.Signature(n, x.signature())
}

// contentPart is a part of a content that is a list.
type contentPart struct {
	Type     string        `json:"type"`
	Text     string        `json:"text"`
	Refusal  string        `json:"refusal"`
	Thinking []contentPart `json:"thinking"`
}

// content tells visible text.
func (d *decoder) content(n int, raw json.RawMessage) error {
	if len(raw) == 0 || raw[0] == 'n' {
		return nil
	}
	if raw[0] == '"' {
		text := ""
		if err := json.Unmarshal(raw, &text); err != nil {
			return peer.Broken("its content is no text")
		}
		return d.text(n, text)
	}
	var parts []contentPart
	if err := json.Unmarshal(raw, &parts); err != nil {
		return peer.Broken("its content is no text")
	}
	for i := range parts {
		if err := d.part(n, &parts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) part(n int, p *contentPart) error {
	switch p.Type {
	case "thinking":
		for _, t := range p.Thinking {
			if err := d.emitter.Reasoning(n, t.Text); err != nil {
				return err
			}
		}
		return nil
	case "refusal":
		return d.refusal(n, p.Refusal)
	}
	return d.text(n, p.Text)
}

// refusal tells a refusal, which ends with an ordinary reason in this protocol
// and with one of its own in others.
func (d *decoder) refusal(n int, text string) error {
	d.ending(n).refused = true
	return d.emitter.Refusal(n, text)
}

// images tells pictures that the model made.
func (d *decoder) images(n int, images []writtenImage) error {
	for i := range images {
		media := &form.Media{URL: images[i].ImageURL.URL}
		if rest, ok := strings.CutPrefix(media.URL, "data:"); ok {
			head, data, _ := strings.Cut(rest, ",")
			kind, coded := strings.CutSuffix(head, ";base64")
			if !coded {
				continue
			}
			media = &form.Media{Type: kind, Data: data}
		}
		if err := d.emitter.Whole(n, form.Part{Kind: form.PartImage, Media: media}); err != nil {
			return err
		}
	}
	return nil
}

// calls tells calls of tools.
func (d *decoder) calls(e *ending, s *said) error {
	if s.Function != nil && (s.Function.Name != "" || len(s.Function.Arguments) > 0) {
		call := form.Call{Name: s.Function.Name}
		if err := d.tell(e.choice, "function", call, s.Function.text(), form.Signature{}); err != nil {
			return err
		}
	}
	for i := range s.Calls {
		if err := d.call(e, &s.Calls[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) call(e *ending, c *saidCall) error {
	f := c.Function
	custom := f == nil && c.Custom != nil
	if custom {
		f = c.Custom
	}
	if f == nil {
		f = &saidFunction{}
	}
	signature := form.Signature{}
	if c.Extra != nil {
		signature = form.ReadSignature(c.Extra.Google.Signature, form.OriginGemini)
	}
	call := form.Call{ID: c.ID, Name: f.Name, Custom: custom}
	return d.tell(e.choice, e.keyOf(c, f), call, f.text(), signature)
}

// tell hands a piece of a call on, under the client's name of the tool.
func (d *decoder) tell(n int, key string, call form.Call, piece string, signature form.Signature) error {
	if call.Name != "" {
		lowered := false
		if call.Name, lowered = d.target.ClientTool(call.Name); lowered {
			call.Custom = true
			return d.beginCustom(n, key, call, piece, signature)
		}
	}
	if c := d.customOf(n, key); c != nil && (call.ID == "" || call.ID == c.id) {
		return d.addCustom(c, piece)
	}
	return d.emitter.Call(n, key, call, piece, signature)
}

// keyOf tells the calls of a choice apart: by number, else by id, else a name
// begins another call and what has none continues the last.
func (e *ending) keyOf(c *saidCall, f *saidFunction) string {
	switch {
	case c.Index != nil:
		e.key = strconv.Itoa(*c.Index)
	case c.ID != "":
		e.key = "id " + c.ID
	case f.Name != "" || e.key == "":
		e.calls++
		e.key = "new " + strconv.Itoa(e.calls)
	}
	return e.key
}

// text is a piece of the arguments.
func (f *saidFunction) text() string {
	if len(f.Arguments) == 0 || f.Arguments[0] == 'n' {
		return f.Input
	}
	text := ""
	if json.Unmarshal(f.Arguments, &text) != nil {
		return string(f.Arguments)
	}
	return text
}
