package translate_test

import (
	"encoding/json"

	"github.com/sluicegate/sluice"
)

// responsesSurface is what OpenAI's SDKs speak at /v1/responses.
type responsesSurface struct{}

func (responsesSurface) name() string { return "openai responses" }
func (responsesSurface) auth() string { return "Authorization" }

// request implements surface.
func (responsesSurface) request(s *scene, model string, stream bool, first *reply) (path, body string) {
	content := list{obj{"type": "input_text", "text": s.prompt()}}
	if s.ask.imageURL {
		content = append(content, obj{"type": "input_image", "image_url": imageURL})
	}
	if s.ask.imageData {
		content = append(content, obj{"type": "input_image", "image_url": "data:image/png;base64," + imageData})
	}
	input := list{obj{"role": "user", "content": content}}
	if first != nil {
		input = append(input, first.echo.(list)...)
		for _, r := range s.results {
			var output any = r.text
			if r.image {
				output = list{obj{"type": "input_text", "text": r.text}, obj{"type": "input_image", "image_url": "data:image/png;base64," + imageData}}
			}
			input = append(input, obj{"type": "function_call_output", "call_id": first.calls[r.call].id, "output": output})
		}
	}
	q := obj{"model": model, "instructions": system, "input": input, "max_output_tokens": 200, "store": false}
	if s.ask.think {
		q["reasoning"], q["max_output_tokens"] = obj{"effort": "high", "summary": "auto"}, 8000
		q["include"] = list{"reasoning.encrypted_content"}
	} else {
		q["temperature"] = 0.5
	}
	if stream {
		q["stream"] = true
	}
	if s.ask.tools {
		var declared list
		for _, t := range tools {
			declared = append(declared, obj{"type": "function", "name": t.name, "description": t.about, "parameters": json.RawMessage(t.schema), "strict": false})
		}
		q["tools"], q["tool_choice"] = declared, "auto"
	}
	if s.ask.schema {
		q["text"] = obj{"format": obj{"type": "json_schema", "name": "trip", "strict": true, "schema": json.RawMessage(schema)}}
	}
	return "/v1/responses", js(q)
}

type responsesObject struct {
	ID, Object, Status, Model string
	Output                    []json.RawMessage
	Error                     *struct{ Code, Message string }
	IncompleteDetails         *struct{ Reason string } `json:"incomplete_details"`
	Usage                     json.RawMessage
}

type responsesOutput struct {
	ID, Type, Status, Role, Name, Arguments string
	CallID                                  string `json:"call_id"`
	EncryptedContent                        string `json:"encrypted_content"`
	Content                                 []struct{ Type, Text, Refusal string }
	Summary                                 []struct{ Type, Text string }
}

// whole implements surface.
func (c responsesSurface) whole(r *reply, doc []byte) {
	var o responsesObject
	if !r.decode(doc, &o) || o.Object != "response" || o.ID == "" {
		r.refuse("not a response: %.200s", doc)
		return
	}
	c.read(r, &o)
	r.ended = true
}

// read takes a response that is over.
func (responsesSurface) read(r *reply, o *responsesObject) {
	echo := list{}
	r.thought, r.text, r.refusal, r.calls = "", "", "", nil
	for _, raw := range o.Output {
		var it responsesOutput
		r.decode(raw, &it)
		switch it.Type {
		case "message":
			for _, part := range it.Content {
				r.text += part.Text
				r.refusal += part.Refusal
			}
			if it.Role != "assistant" || len(it.Content) == 0 {
				r.refuse("item %s", raw)
			}
		case "reasoning":
			for _, part := range it.Summary {
				r.thought += part.Text
			}
			r.signed = r.signed || it.EncryptedContent != ""
		case "function_call":
			r.calls = append(r.calls, call{it.CallID, it.Name, it.Arguments})
		default:
			r.refuse("item %s", raw)
		}
		if it.ID == "" {
			r.refuse("an item without id")
		}
		echo = append(echo, raw)
	}
	r.echo, r.model, r.usage = echo, o.Model, numbers(o.Usage)
	if r.reason = o.Status; o.IncompleteDetails != nil {
		r.reason += " " + o.IncompleteDetails.Reason
	}
}

// stream implements surface.
func (c responsesSurface) stream(r *reply, body []byte) {
	texts := map[string]string{}
	items, open := 0, ""
	for number, e := range r.events(body, "\n") {
		var v struct {
			Type           string
			SequenceNumber *int `json:"sequence_number"`
			Response       *responsesObject
			OutputIndex    int    `json:"output_index"`
			ItemID         string `json:"item_id"`
			Delta          string
			Text           *string
			Refusal        *string
			Arguments      *string
			Item           *responsesOutput
		}
		if !r.decode([]byte(e.data), &v) {
			return
		}
		if v.Type != e.name || r.ended || r.broke || v.SequenceNumber == nil || *v.SequenceNumber != number && !(r.native && v.Type == "error") {
			r.refuse("event %d is %.200s", number, e.data)
		}
		if (number == 0) != (v.Type == "response.created") || (number == 1) != (v.Type == "response.in_progress") {
			r.refuse("event %d is %s", number, v.Type)
		}
		switch v.Type {
		case "response.output_item.added":
			if v.OutputIndex != items || open != "" {
				r.refuse("item %d is added at %d, with %q open", items, v.OutputIndex, open)
			}
			open = v.Item.ID
			items++
		case "response.output_item.done":
			if open != v.Item.ID || v.OutputIndex != items-1 {
				r.refuse("item %q is done, %q is open", v.Item.ID, open)
			}
			open = ""
		case "response.output_text.delta", "response.refusal.delta", "response.reasoning_summary_text.delta", "response.function_call_arguments.delta":
			if v.ItemID != open {
				r.refuse("a delta of %q, %q is open", v.ItemID, open)
			}
			texts[open] += v.Delta
			if v.Type == "response.output_text.delta" {
				r.text += v.Delta
			}
		case "response.output_text.done", "response.refusal.done", "response.reasoning_summary_text.done", "response.function_call_arguments.done":
			for _, done := range []*string{v.Text, v.Refusal, v.Arguments} {
				if done != nil && *done != texts[open] {
					r.refuse("the deltas of %q are %q", *done, texts[open])
				}
			}
		case "response.completed", "response.incomplete":
			if open != "" || v.Response == nil || len(v.Response.Output) != items || "response."+v.Response.Status != v.Type {
				r.refuse("ends with %.200s", e.data)
				return
			}
			c.read(r, v.Response)
			r.ended = true
		case "response.failed":
			if v.Response == nil || v.Response.Error == nil || v.Response.Status != "failed" {
				r.refuse("fails with %.200s", e.data)
				return
			}
			r.broke, r.fault = true, v.Response.Error.Code
		case "error":
			r.broke, r.fault = true, "error"
		}
	}
}

// fault implements surface.
func (responsesSurface) fault(doc []byte) (code, field string, ok bool) {
	return chatSurface{}.fault(doc)
}

// shows implements surface.
func (responsesSurface) shows(s said) said { s.sequence = ""; return s }

// reason implements surface.
func (responsesSurface) reason(s said) string {
	switch s.stop {
	case stopLength:
		return "incomplete max_output_tokens"
	case stopFilter:
		return "incomplete content_filter"
	case stopRefusal:
		if s.refusal == "" {
			return "incomplete content_filter"
		}
	}
	return "completed"
}

// usage implements surface.
func (responsesSurface) usage(u sluice.Usage) map[string]int64 {
	in := u.Input + u.CachedInput + u.CacheWrite5m + u.CacheWrite1h
	return map[string]int64{
		"input_tokens": in, "output_tokens": u.Output + u.Reasoning, "total_tokens": in + u.Output + u.Reasoning,
		"input_tokens_details.cached_tokens": u.CachedInput, "output_tokens_details.reasoning_tokens": u.Reasoning,
	}
}
