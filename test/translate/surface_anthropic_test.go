package translate_test

import (
	"encoding/json"

	"github.com/sluicegate/sluice"
)

// messagesSurface is what Anthropic's SDKs speak.
type messagesSurface struct{}

func (messagesSurface) name() string { return "anthropic messages" }
func (messagesSurface) auth() string { return "X-Api-Key" }

// request implements surface.
func (messagesSurface) request(s *scene, model string, stream bool, first *reply) (path, body string) {
	picture := obj{"type": "image", "source": obj{"type": "base64", "media_type": "image/png", "data": imageData}}
	content := list{obj{"type": "text", "text": s.prompt()}}
	if s.ask.imageURL {
		content = append(content, obj{"type": "image", "source": obj{"type": "url", "url": imageURL}})
	}
	if s.ask.imageData {
		content = append(content, picture)
	}
	messages := list{obj{"role": "user", "content": content}}
	if first != nil {
		var results list
		for _, r := range s.results {
			answer := list{obj{"type": "text", "text": r.text}}
			if r.image {
				answer = append(answer, picture)
			}
			results = append(results, obj{"type": "tool_result", "tool_use_id": first.calls[r.call].id, "content": answer})
		}
		messages = append(messages, obj{"role": "assistant", "content": first.echo}, obj{"role": "user", "content": results})
	}
	q := obj{"model": model, "max_tokens": 200, "system": system, "messages": messages}
	if s.ask.think {
		q["max_tokens"], q["thinking"] = 8000, obj{"type": "enabled", "budget_tokens": 2048}
	} else {
		q["temperature"] = 0.5
	}
	if stream {
		q["stream"] = true
	}
	if s.ask.tools {
		var declared list
		for _, t := range tools {
			declared = append(declared, obj{"name": t.name, "description": t.about, "input_schema": json.RawMessage(t.schema)})
		}
		q["tools"], q["tool_choice"] = declared, obj{"type": "auto"}
	}
	if s.ask.stop != "" {
		q["stop_sequences"] = list{s.ask.stop}
	}
	if s.ask.schema {
		q["output_config"] = obj{"format": obj{"type": "json_schema", "schema": json.RawMessage(schema)}}
	}
	return "/v1/messages", js(q)
}

type messageReply struct {
	ID, Type, Role, Model string
	Content               []json.RawMessage
	StopReason            *string `json:"stop_reason"`
	StopSequence          *string `json:"stop_sequence"`
	Usage                 json.RawMessage
}

type messageBlock struct {
	Type, Text, ID, Name, Thinking, Signature, Data string
	Input                                           json.RawMessage
}

// block takes a whole block and returns what is sent back of it.
func (messagesSurface) block(r *reply, b *messageBlock) any {
	switch b.Type {
	case "text":
		r.text += b.Text
		return obj{"type": "text", "text": b.Text}
	case "thinking":
		r.thought += b.Thinking
		r.signed = r.signed || b.Signature != ""
		return obj{"type": "thinking", "thinking": b.Thinking, "signature": b.Signature}
	case "redacted_thinking":
		r.signed = true
		return obj{"type": b.Type, "data": b.Data}
	case "tool_use":
		r.calls = append(r.calls, call{b.ID, b.Name, string(b.Input)})
		return obj{"type": "tool_use", "id": b.ID, "name": b.Name, "input": b.Input}
	}
	r.refuse("block of type %q", b.Type)
	return nil
}

// whole implements surface.
func (c messagesSurface) whole(r *reply, doc []byte) {
	var m messageReply
	if !r.decode(doc, &m) || m.Type != "message" || m.Role != "assistant" || m.ID == "" || m.StopReason == nil || m.Content == nil {
		r.refuse("not a message: %.200s", doc)
		return
	}
	echo := list{}
	for _, raw := range m.Content {
		var b messageBlock
		if r.decode(raw, &b) {
			echo = append(echo, c.block(r, &b))
		}
	}
	r.echo, r.model, r.reason, r.usage, r.ended = echo, m.Model, *m.StopReason, numbers(m.Usage), true
	if m.StopSequence != nil {
		r.sequence = *m.StopSequence
	}
}

// stream implements surface: one start, blocks with contiguous indices, each
// closed before the next, one delta of the message, one stop.
func (c messagesSurface) stream(r *reply, body []byte) {
	echo := list{}
	var open *messageBlock
	started, closing := false, false
	for _, e := range r.events(body, "\n") {
		var v struct {
			Type         string
			Message      *messageReply
			Index        int
			ContentBlock *messageBlock `json:"content_block"`
			Delta        struct {
				Type, Text, Thinking, Signature string
				PartialJSON                     string  `json:"partial_json"`
				StopReason                      *string `json:"stop_reason"`
				StopSequence                    *string `json:"stop_sequence"`
			}
			Usage json.RawMessage
		}
		if !r.decode([]byte(e.data), &v) {
			return
		}
		if v.Type != e.name || r.ended || r.broke || !started && v.Type != "message_start" {
			r.refuse("event %q holds %.200s", e.name, e.data)
			return
		}
		switch v.Type {
		case "ping":
		case "message_start":
			if started || v.Message == nil || len(v.Message.Content) != 0 || v.Message.StopReason != nil || v.Message.ID == "" {
				r.refuse("starts with %.200s", e.data)
				return
			}
			started, r.model = true, v.Message.Model
		case "content_block_start":
			if open != nil || closing || v.Index != len(echo) || v.ContentBlock == nil {
				r.refuse("block %d starts out of order", v.Index)
				return
			}
			if open = v.ContentBlock; open.Type == "tool_use" {
				if !sameJSON(string(open.Input), "{}") {
					r.refuse("a tool starts with input %s", open.Input)
				}
				open.Input = nil
			}
		case "content_block_delta":
			if open == nil || v.Index != len(echo) {
				r.refuse("a delta of block %d out of order", v.Index)
				return
			}
			open.Text += v.Delta.Text
			open.Thinking += v.Delta.Thinking
			open.Signature += v.Delta.Signature
			open.Input = append(open.Input, v.Delta.PartialJSON...)
		case "content_block_stop":
			if open == nil || v.Index != len(echo) {
				r.refuse("block %d stops out of order", v.Index)
				return
			}
			if open.Type == "tool_use" && len(open.Input) == 0 {
				open.Input = json.RawMessage("{}") // as SDKs do
			}
			echo = append(echo, c.block(r, open))
			open = nil
		case "message_delta":
			if open != nil || closing && !r.native || v.Delta.StopReason == nil {
				r.refuse("a delta of the message out of order: %.200s", e.data)
				return
			}
			closing, r.reason, r.usage = true, *v.Delta.StopReason, numbers(v.Usage)
			if v.Delta.StopSequence != nil {
				r.sequence = *v.Delta.StopSequence
			}
		case "message_stop":
			if !closing {
				r.refuse("stops without a reason")
			}
			r.ended = true
		case "error":
			r.fault, _, _ = c.fault([]byte(e.data))
			r.broke = true
		default:
			r.refuse("event of type %q", v.Type)
		}
	}
	if open != nil {
		r.text += open.Text
	}
	r.echo = echo
}

// fault implements surface.
func (messagesSurface) fault(doc []byte) (code, field string, ok bool) {
	var e struct {
		Type  string
		Error struct{ Type, Message, Code, Field string }
	}
	err := json.Unmarshal(doc, &e)
	return e.Error.Code, e.Error.Field, err == nil && e.Type == "error" && e.Error.Type != "" && e.Error.Message != ""
}

// shows implements surface: the text of a refusal is text.
func (messagesSurface) shows(s said) said {
	s.text, s.refusal = s.text+s.refusal, ""
	return s
}

// reason implements surface.
func (messagesSurface) reason(s said) string {
	switch s.stop {
	case stopCalls:
		return "tool_use"
	case stopLength:
		return "max_tokens"
	case stopFilter, stopRefusal:
		return "refusal"
	case stopSequence:
		return "stop_sequence"
	}
	return "end_turn"
}

// usage implements surface: the classes of the input are disjoint.
func (messagesSurface) usage(u sluice.Usage) map[string]int64 {
	return map[string]int64{
		"input_tokens": u.Input, "output_tokens": u.Output + u.Reasoning, "cache_read_input_tokens": u.CachedInput,
		"cache_creation_input_tokens": u.CacheWrite5m + u.CacheWrite1h,
	}
}
