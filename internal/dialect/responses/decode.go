package responses

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// maxOpen bounds how many items of one answer are remembered.
const maxOpen = 4096

// decoder reads one answer.
type decoder struct {
	emit   *form.Emitter
	target *form.Target
	// streamed are the items of which pieces have come, by output_index.
	streamed map[int]*streamed
	refused  bool
	over     bool
}

// streamed is what is known of an item that comes in pieces.
type streamed struct {
	// begun tells that its text has come in pieces, so that its end does not
	// bring it again.
	begun bool
	// summaries counts the parts of a summary.
	summaries int
}

// Decoder implements [form.Back].
func (Back) Decoder(e *form.Emitter, t *form.Target) form.Decoder {
	return &decoder{emit: e, target: t, streamed: map[int]*streamed{}}
}

// event is an event of a stream; which members it has depends on its type.
type event struct {
	Type        string `json:"type"`
	OutputIndex int    `json:"output_index"`
	Delta       string `json:"delta"`
	// Logprobs are those of a piece of text.
	Logprobs  json.RawMessage `json:"logprobs"`
	Text      string          `json:"text"`
	Refusal   string          `json:"refusal"`
	Arguments string          `json:"arguments"`
	Input     string          `json:"input"`
	Item      rawItem         `json:"item"`
	Response  *response       `json:"response"`
}

// rawItem is an item with its bytes.
type rawItem struct {
	item
	raw json.RawMessage
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *rawItem) UnmarshalJSON(b []byte) error {
	r.raw = append(json.RawMessage(nil), b...)
	return json.Unmarshal(b, &r.item)
}

// Event implements [form.Decoder].
func (d *decoder) Event(_, data []byte) error {
	if d.over {
		return nil // nothing follows the end
	}
	var ev event
	if err := json.Unmarshal(data, &ev); err != nil {
		return broken("an event of it is malformed")
	}
	switch ev.Type {
	case "response.created", "response.in_progress", "response.queued":
		if ev.Response != nil {
			return d.emit.Start(ev.Response.ID, ev.Response.created())
		}
		return nil
	case "response.output_item.added":
		return d.added(&ev)
	case "response.output_item.done":
		return d.done(&ev)
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		return d.ended(&ev)
	case "error":
		return &form.Fault{Doc: append([]byte(nil), data...)}
	}
	return d.piece(&ev)
}

// at returns what is known of the event's item.
func (d *decoder) at(ev *event) *streamed {
	if s := d.streamed[ev.OutputIndex]; s != nil {
		return s
	}
	s := &streamed{}
	if len(d.streamed) < maxOpen {
		d.streamed[ev.OutputIndex] = s
	}
	return s
}

func key(index int) string { return strconv.Itoa(index) }

// added opens the item of a call.
func (d *decoder) added(ev *event) error {
	switch it := &ev.Item; it.Type {
	case "function_call", "custom_tool_call":
		return d.call(ev.OutputIndex, &it.item, "")
	}
	return nil
}

// call tells what is known of a call and a piece of its arguments.
func (d *decoder) call(index int, it *item, piece string) error {
	name, _ := d.target.ClientTool(it.Name)
	c := form.Call{ID: it.CallID, Name: name, Custom: it.Type == "custom_tool_call"}
	return d.emit.Call(0, key(index), c, piece, form.Signature{})
}

// piece reads the events that bring text. Others say nothing that is needed.
func (d *decoder) piece(ev *event) error {
	s := d.at(ev)
	switch ev.Type {
	case "response.output_text.delta":
		s.begun = true
		return d.emit.TextWith(0, ev.Delta, ReadLogprobs(ev.Logprobs))
	case "response.refusal.delta":
		s.begun, d.refused = true, true
		return d.emit.Refusal(0, ev.Delta)
	case "response.reasoning_summary_part.added":
		s.summaries++
		if s.summaries > 1 {
			return d.emit.Reasoning(0, "\n\n")
		}
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		s.begun = true
		return d.emit.Reasoning(0, ev.Delta)
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		s.begun = true
		return d.emit.Call(0, key(ev.OutputIndex), form.Call{}, ev.Delta, form.Signature{})
	}
	return nil
}

// done reads an item that is over: what of it has not come in pieces.
func (d *decoder) done(ev *event) error {
	s := d.at(ev)
	delete(d.streamed, ev.OutputIndex)
	return d.item(ev.OutputIndex, &ev.Item, s.begun)
}

// item tells an item; begun says that its text was told.
func (d *decoder) item(index int, it *rawItem, begun bool) error {
	switch it.Type {
	case "message":
		return d.message(&it.item, begun)
	case "function_call", "custom_tool_call":
		return d.wholeCall(index, &it.item, begun)
	case "reasoning":
		return d.thought(&it.item, begun)
	case "image_generation_call":
		return d.picture(&it.item)
	case "":
		return broken("an item of it has no type")
	}
	return d.emit.Whole(0, form.Part{Kind: form.PartOther, Raw: it.raw, Origin: form.OriginOpenAI})
}

func (d *decoder) message(it *item, begun bool) error {
	var list []content
	if len(it.Content) > 0 && json.Unmarshal(it.Content, &list) != nil {
		return broken("a message of it is malformed")
	}
	for _, c := range list {
		d.refused = d.refused || c.Type == "refusal"
		if begun {
			continue
		}
		var err error
		if c.Type == "refusal" {
			err = d.emit.Refusal(0, c.Refusal)
		} else {
			err = d.emit.TextWith(0, c.Text, ReadLogprobs(c.Logprobs))
		}
		if err != nil {
			return err
		}
	}
	return d.emit.Close(0)
}

func (d *decoder) wholeCall(index int, it *item, begun bool) error {
	if !begun {
		text := it.Arguments
		if it.Type == "custom_tool_call" {
			text = it.Input
		}
		piece := ""
		if text != nil {
			piece = *text
		}
		if err := d.call(index, it, piece); err != nil {
			return err
		}
	}
	return d.emit.Close(0)
}

// thought tells reasoning: its seal signs the summary, or stands alone.
func (d *decoder) thought(it *item, begun bool) error {
	if !begun && it.Summary != nil {
		text := joinTexts(*it.Summary)
		if text == "" {
			var raw []content
			if json.Unmarshal(it.Content, &raw) == nil {
				text = joinTexts(raw)
			}
		}
		begun = text != ""
		if err := d.emit.Reasoning(0, text); err != nil {
			return err
		}
	}
	if it.EncryptedContent == nil || *it.EncryptedContent == "" {
		return d.emit.Close(0)
	}
	if !begun {
		return d.emit.Sealed(0, form.OriginOpenAI, *it.EncryptedContent)
	}
	if err := d.emit.Signature(0, form.Signature{Origin: form.OriginOpenAI, Value: *it.EncryptedContent}); err != nil {
		return err
	}
	return d.emit.Close(0)
}

// picture tells an image that the model made.
func (d *decoder) picture(it *item) error {
	if it.Result == nil || *it.Result == "" {
		return nil
	}
	kind := "image/png"
	if it.Format != "" {
		kind = "image/" + strings.ToLower(it.Format)
	}
	return d.emit.Whole(0, form.Part{Kind: form.PartImage, Media: &form.Media{Type: kind, Data: *it.Result}})
}

// End implements [form.Decoder]: the protocol leaves nothing implicit.
func (d *decoder) End() error { return nil }
