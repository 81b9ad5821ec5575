package translate_test

import (
	"encoding/json"
	"net/http"
	"strings"
)

// responsesAPI is OpenAI's Responses API.
type responsesAPI struct{}

type responsesRequest struct {
	Model           string            `json:"model"`
	Instructions    string            `json:"instructions"`
	Input           json.RawMessage   `json:"input"`
	Stream          bool              `json:"stream"`
	Store           *bool             `json:"store"`
	MaxOutputTokens *int              `json:"max_output_tokens"`
	Temperature     *float64          `json:"temperature"`
	TopP            *float64          `json:"top_p"`
	Include         []string          `json:"include"`
	ToolChoice      json.RawMessage   `json:"tool_choice"`
	Parallel        *bool             `json:"parallel_tool_calls"`
	Tools           []json.RawMessage `json:"tools"`
	Reasoning       *struct {
		Effort  string `json:"effort"`
		Summary string `json:"summary"`
	} `json:"reasoning"`
	Text *struct {
		Format *struct {
			Type   string          `json:"type"`
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"schema"`
			Strict *bool           `json:"strict"`
		} `json:"format"`
	} `json:"text"`
	SafetyIdentifier string `json:"safety_identifier"`
}

type responsesItem struct {
	Type             string          `json:"type"`
	ID               string          `json:"id"`
	Status           string          `json:"status"`
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"`
	CallID           string          `json:"call_id"`
	Name             string          `json:"name"`
	Arguments        *string         `json:"arguments"`
	Output           json.RawMessage `json:"output"`
	Summary          json.RawMessage `json:"summary"`
	EncryptedContent *string         `json:"encrypted_content"`
}

func (responsesAPI) credential() string { return "Authorization" }

// hear implements protocol.
func (p responsesAPI) hear(h *heard, r *http.Request, body []byte) {
	var q responsesRequest
	if r.Method != "POST" || r.URL.Path != "/v1/responses" || r.URL.RawQuery != "" {
		h.refuse("%s %s", r.Method, r.URL)
	}
	if !h.strictly(body, &q) {
		return
	}
	h.model, h.stream, h.system = q.Model, q.Stream, q.Instructions
	if q.Store == nil || *q.Store {
		h.refuse("store is not false: the answer would be kept")
	}
	if q.MaxOutputTokens != nil && *q.MaxOutputTokens < 16 {
		h.refuse("max_output_tokens %d", *q.MaxOutputTokens)
	}
	h.thinks = strings.HasPrefix(q.Model, "gpt-5")
	if q.Reasoning != nil && !h.thinks || h.thinks && q.Temperature != nil {
		h.refuse("a parameter that this model does not support")
	}
	h.shows = q.Reasoning != nil && q.Reasoning.Summary != ""
	for _, what := range q.Include {
		if h.packs = what == "reasoning.encrypted_content"; !h.packs || !h.thinks {
			h.refuse("include %q", what)
		}
	}
	for _, raw := range q.Tools {
		var t struct {
			Type, Name, Description string
			Parameters              json.RawMessage
			Strict                  *bool
		}
		if !h.strictly(raw, &t) || t.Type != "function" || t.Name == "" || len(t.Parameters) == 0 {
			h.refuse("tool %s", raw)
		}
		h.tools = append(h.tools, t.Name)
	}
	if q.Text != nil && q.Text.Format != nil && q.Text.Format.Type == "json_schema" {
		h.schema = string(q.Text.Format.Schema)
		if q.Text.Format.Name == "" {
			h.refuse("text.format.name")
		}
	}
	p.hearInput(h, q.Input)
	h.paired()
}

func (p responsesAPI) hearInput(h *heard, raw json.RawMessage) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		h.prompts = append(h.prompts, text)
		return
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) == 0 {
		h.refuse("input %.100s", raw)
	}
	followed := true
	for _, raw := range items {
		var it responsesItem
		if !h.strictly(raw, &it) {
			return
		}
		if it.Type != "reasoning" {
			followed = true
		}
		switch it.Type {
		case "", "message":
			p.hearMessage(h, &it)
		case "reasoning":
			if followed = false; it.EncryptedContent == nil || it.Summary == nil {
				h.refuse("a reasoning item that is not stored needs encrypted_content and a summary")
				break
			}
			h.signature += *it.EncryptedContent
		case "function_call":
			if it.CallID == "" || it.Name == "" || it.Arguments == nil || !json.Valid([]byte(*it.Arguments)) {
				h.refuse("call %s", raw)
				break
			}
			h.calls = append(h.calls, call{it.CallID, it.Name, *it.Arguments})
		case "function_call_output":
			text, images := p.hearContent(h, it.Output, "input_text")
			h.results = append(h.results, heardResult{it.CallID, text, images})
		default:
			h.refuse("item of type %q", it.Type)
		}
	}
	if !followed {
		h.refuse("a reasoning item without its following item")
	}
}

func (p responsesAPI) hearMessage(h *heard, it *responsesItem) {
	switch it.Role {
	case "user":
		text, images := p.hearContent(h, it.Content, "input_text")
		h.prompts = append(h.prompts, text)
		h.images += images
	case "system", "developer":
		text, _ := p.hearContent(h, it.Content, "input_text")
		h.system += text
	case "assistant":
		p.hearContent(h, it.Content, "output_text")
	default:
		h.refuse("role %q", it.Role)
	}
}

func (p responsesAPI) hearContent(h *heard, raw json.RawMessage, kind string) (text string, images int) {
	if json.Unmarshal(raw, &text) == nil {
		return text, 0
	}
	var parts []struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		ImageURL    string `json:"image_url"`
		Detail      string `json:"detail"`
		Annotations []any  `json:"annotations"`
		Logprobs    []any  `json:"logprobs"`
		Refusal     string `json:"refusal"`
	}
	if !h.strictly(raw, &parts) {
		return "", 0
	}
	for _, part := range parts {
		switch {
		case part.Type == kind:
			text += part.Text
		case part.Type == "refusal" && kind == "output_text":
		case part.Type == "input_image" && kind == "input_text":
			images++
			if u := part.ImageURL; u != imageURL && u != "data:image/png;base64,"+imageData {
				h.refuse("image %.60s", u)
			}
		default:
			h.refuse("content of type %q", part.Type)
		}
	}
	return text, images
}

// tells implements protocol.
func (responsesAPI) tells(h *heard, s said) said {
	s.usage.Input += s.usage.CacheWrite5m + s.usage.CacheWrite1h
	s.usage.CacheWrite5m, s.usage.CacheWrite1h = 0, 0
	if s.sequence = ""; s.stop == stopSequence {
		s.stop = stopEnd
	}
	if !h.thinks {
		s.usage.Output += s.usage.Reasoning
		s.usage.Reasoning = 0
	}
	if !h.shows || !h.thinks {
		s.thought = ""
	}
	if !h.packs || !h.thinks {
		s.signature = ""
	}
	s.calls = append([]call(nil), s.calls...)
	for i := range s.calls {
		s.calls[i].id = "call_" + string(rune('a'+i)) + "2"
	}
	return s
}

// items are the output of an answer.
func (responsesAPI) items(s said) []obj {
	items := []obj{}
	if s.thought != "" || s.signature != "" {
		summary := list{}
		if s.thought != "" {
			summary = append(summary, obj{"type": "summary_text", "text": s.thought})
		}
		item := obj{"id": "rs_1", "type": "reasoning", "summary": summary}
		if s.signature != "" {
			item["encrypted_content"] = s.signature
		}
		items = append(items, item)
	}
	if s.text != "" || s.refusal != "" {
		part := obj{"type": "output_text", "text": s.text, "annotations": list{}, "logprobs": list{}}
		if s.refusal != "" {
			part = obj{"type": "refusal", "refusal": s.refusal}
		}
		items = append(items, obj{"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": list{part}})
	}
	for i, c := range s.calls {
		items = append(items, obj{"id": "fc_" + string(rune('1'+i)), "type": "function_call", "status": "completed", "call_id": c.id, "name": c.name, "arguments": c.args})
	}
	return items
}

func (p responsesAPI) object(s said, done bool) obj {
	o := obj{"id": "resp_1", "object": "response", "created_at": 1700000000, "status": "in_progress", "error": nil, "incomplete_details": nil,
		"instructions": system, "model": "their-model", "output": list{}, "parallel_tool_calls": true, "usage": nil, "metadata": obj{}}
	if !done {
		return o
	}
	o["status"], o["output"] = "completed", p.items(s)
	if s.stop == stopLength || s.stop == stopFilter {
		o["status"] = "incomplete"
		o["incomplete_details"] = obj{"reason": map[string]string{stopLength: "max_output_tokens", stopFilter: "content_filter"}[s.stop]}
	}
	u := s.usage
	o["usage"] = obj{"input_tokens": u.Input + u.CachedInput, "input_tokens_details": obj{"cached_tokens": u.CachedInput},
		"output_tokens": u.Output + u.Reasoning, "output_tokens_details": obj{"reasoning_tokens": u.Reasoning}, "total_tokens": u.Total()}
	return o
}

// whole implements protocol.
func (p responsesAPI) whole(s said) string { return js(p.object(s, true)) }

// frames implements protocol.
func (p responsesAPI) frames(s said) (events []string, content int) {
	event := func(kind string, members obj) {
		e := obj{"type": kind, "sequence_number": len(events)}
		for k, v := range members {
			e[k] = v
		}
		events = append(events, "event: "+kind+"\ndata: "+js(e)+"\n\n")
	}
	event("response.created", obj{"response": p.object(s, false)})
	event("response.in_progress", obj{"response": p.object(s, false)})
	for at, item := range p.items(s) {
		place := obj{"output_index": at, "item_id": item["id"]}
		with := func(more obj) obj {
			for k, v := range place {
				more[k] = v
			}
			return more
		}
		started := obj{}
		for k, v := range item {
			started[k] = v
		}
		started["status"] = "in_progress"
		switch item["type"] {
		case "message":
			started["content"] = list{}
			event("response.output_item.added", obj{"output_index": at, "item": started})
			part := item["content"].(list)[0].(obj)
			kind, member, text := "output_text", "text", s.text
			if s.refusal != "" {
				kind, member, text = "refusal", "refusal", s.refusal
			}
			empty := obj{"type": kind, member: ""}
			event("response.content_part.added", with(obj{"content_index": 0, "part": empty}))
			if content == 0 {
				content = len(events)
			}
			for _, piece := range pieces(text) {
				event("response."+kind+".delta", with(obj{"content_index": 0, "delta": piece}))
			}
			event("response."+kind+".done", with(obj{"content_index": 0, member: text}))
			event("response.content_part.done", with(obj{"content_index": 0, "part": part}))
		case "reasoning":
			started["summary"] = list{}
			delete(started, "encrypted_content")
			event("response.output_item.added", obj{"output_index": at, "item": started})
			if s.thought != "" {
				event("response.reasoning_summary_part.added", with(obj{"summary_index": 0, "part": obj{"type": "summary_text", "text": ""}}))
				for _, piece := range pieces(s.thought) {
					event("response.reasoning_summary_text.delta", with(obj{"summary_index": 0, "delta": piece}))
				}
				event("response.reasoning_summary_text.done", with(obj{"summary_index": 0, "text": s.thought}))
				event("response.reasoning_summary_part.done", with(obj{"summary_index": 0, "part": obj{"type": "summary_text", "text": s.thought}}))
			}
		default:
			started["arguments"] = ""
			event("response.output_item.added", obj{"output_index": at, "item": started})
			for _, piece := range pieces(item["arguments"].(string)) {
				event("response.function_call_arguments.delta", with(obj{"delta": piece}))
			}
			event("response.function_call_arguments.done", with(obj{"arguments": item["arguments"]}))
		}
		event("response.output_item.done", obj{"output_index": at, "item": item})
	}
	if content == 0 {
		content = len(events)
	}
	last := p.object(s, true)
	event("response."+last["status"].(string), obj{"response": last})
	return events, content
}

// failure implements protocol.
func (responsesAPI) failure(message string, event bool) string {
	if event {
		return "event: error\ndata: " + js(obj{"type": "error", "code": "server_error", "message": message, "param": nil, "sequence_number": 99}) + "\n\n"
	}
	return js(obj{"error": obj{"message": message, "type": "server_error", "param": nil, "code": nil}})
}
