package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// responsesRequest is POST /v1/responses; what is not here OpenAI refuses.
type responsesRequest struct {
	Model           string
	Input           json.RawMessage
	Instructions    string
	Stream, Store   *bool
	Include         []string
	MaxOutputTokens *int        `json:"max_output_tokens"`
	Temperature     json.Number `json:"temperature"`
	TopP            json.Number `json:"top_p"`
	Tools           []responsesTool
	ToolChoice      any   `json:"tool_choice"`
	Parallel        *bool `json:"parallel_tool_calls"`
	Reasoning       *struct{ Effort, Summary, Context string }
	Text            *struct {
		Verbosity string
		Format    *struct {
			Type, Name, Description string
			Schema                  json.RawMessage
			Strict                  *bool
		}
	}
	Metadata       map[string]string
	SafetyID       string            `json:"safety_identifier"`
	PromptCacheKey string            `json:"prompt_cache_key"`
	ServiceTier    string            `json:"service_tier"`
	ClientMetadata map[string]string `json:"client_metadata"`
	Truncation     string
}

type responsesTool struct {
	Type, Name, Description string
	Parameters              map[string]any
	Strict                  *bool
	Format                  any
	Tools                   []responsesTool // of a namespace
	WebAccess               *bool           `json:"external_web_access"`
}

// hear takes a tool into account; those of a namespace are called with its name
// before theirs.
func (t responsesTool) hear(h *heard, namespace string) error {
	switch {
	case t.Type == "web_search" && namespace == "":
	case t.Type == "namespace" && namespace == "" && t.Name != "":
		for _, inner := range t.Tools {
			if err := inner.hear(h, t.Name+"__"); err != nil {
				return err
			}
		}
	case (t.Type == "function" || t.Type == "custom") && t.Name != "":
		h.tools = append(h.tools, namespace+t.Name)
	default:
		return fmt.Errorf("a tool that cannot be: %+v", t)
	}
	return nil
}

// responsesItem is an item of the input.
type responsesItem struct {
	Type, ID, Role, Status, Phase string
	Content                       json.RawMessage
	Summary                       []struct{ Type, Text string }
	EncryptedContent              string `json:"encrypted_content"`
	CallID                        string `json:"call_id"`
	Name, Namespace               string
	Arguments, Input              string
	Output                        json.RawMessage
	Tools                         []responsesTool // of additional_tools
}

// responses answers POST /v1/responses.
func responses(_ *http.Request, body []byte) (answer, error) {
	var in responsesRequest
	if err := strictly(body, &in); err != nil {
		return answer{}, err
	}
	h, err := in.hear()
	if err != nil {
		return answer{}, err
	}
	if in.Store == nil || *in.Store {
		return answer{}, errors.New("the answer would be stored in an account that tenants share")
	}
	actions, err := h.actions()
	if err != nil {
		return answer{}, err
	}
	if s := status(actions); s != 0 {
		return openAIFailure(s), nil
	}
	if in.Stream != nil && *in.Stream {
		return responsesStream(in, h.step, actions), nil
	}
	return answer{body: responsesObject(in, "completed", responsesOutput(in, h.step, actions), actions)}, nil
}

// responsesCount answers POST /v1/responses/input_tokens.
func responsesCount(_ *http.Request, body []byte) (answer, error) {
	var in responsesRequest
	if err := strictly(body, &in); err != nil {
		return answer{}, err
	}
	if _, err := in.hear(); err != nil {
		return answer{}, err
	}
	return answer{body: object{"object": "response.input_tokens", "input_tokens": tokensCounted}}, nil
}

// hear reads the conversation.
func (in *responsesRequest) hear() (*heard, error) {
	h := &heard{system: in.Instructions}
	if in.Model != "gpt-5-mini" {
		return nil, fmt.Errorf("the model %q does not exist", in.Model)
	}
	for _, tool := range in.Tools {
		if err := tool.hear(h, ""); err != nil {
			return nil, err
		}
	}
	if in.Text != nil && in.Text.Format != nil && in.Text.Format.Type == "json_schema" {
		if in.Text.Format.Name == "" {
			return nil, errors.New("text.format without a name")
		}
		if err := h.wants(in.Text.Format.Schema); err != nil {
			return nil, err
		}
	}
	var text string
	if json.Unmarshal(in.Input, &text) == nil {
		h.says(text)
		return h, nil
	}
	var items []responsesItem
	if err := strictly(in.Input, &items); err != nil {
		return nil, err
	}
	return h, hearItems(h, items)
}

// hearItems reads the items; what the assistant said in a row is one answer.
func hearItems(h *heard, items []responsesItem) error {
	open, speaking := map[string]bool{}, false
	for i, item := range items {
		if item.Type == "" {
			item.Type = "message"
		}
		own := item.Type == "reasoning" || item.Type == "function_call" || item.Type == "custom_tool_call" || item.Role == "assistant"
		if own && !speaking {
			h.step++
		}
		speaking = own
		if err := item.hear(h, open); err != nil {
			return fmt.Errorf("input[%d]: %w", i, err)
		}
	}
	for id, unanswered := range open {
		if unanswered {
			return fmt.Errorf("the call %q has no output", id)
		}
	}
	return nil
}

// hear takes one item into account; open are the calls without an output.
func (item responsesItem) hear(h *heard, open map[string]bool) error {
	switch item.Type {
	case "message":
		text, err := responsesText(h, item.Content, item.Role)
		if err != nil {
			return err
		}
		switch item.Role {
		case "user":
			h.says(text)
		case "system", "developer":
			h.system += text
		case "assistant":
		default:
			return fmt.Errorf("role %q", item.Role)
		}
	case "reasoning":
		if item.EncryptedContent == "" {
			return errors.New("reasoning without encrypted_content is not found when nothing is stored")
		}
		if item.EncryptedContent != sign("openai", "reasoning") {
			return fmt.Errorf("encrypted_content %q cannot be verified", item.EncryptedContent)
		}
		h.signed++
	case "additional_tools":
		for _, tool := range item.Tools {
			if err := tool.hear(h, ""); err != nil {
				return err
			}
		}
	case "function_call":
		if item.CallID == "" || item.Name == "" || !json.Valid([]byte(item.Arguments)) {
			return fmt.Errorf("a call that cannot be: %+v", item)
		}
		open[item.CallID] = true
	case "custom_tool_call":
		if item.CallID == "" || item.Name == "" {
			return fmt.Errorf("a call that cannot be: %+v", item)
		}
		open[item.CallID] = true
	case "function_call_output", "custom_tool_call_output":
		if !open[item.CallID] {
			return fmt.Errorf("%q answers no call", item.CallID)
		}
		open[item.CallID] = false
		text, err := responsesText(h, item.Output, "user")
		if err != nil {
			return err
		}
		h.results = append(h.results, text)
	default:
		return fmt.Errorf("items of type %q are not supported", item.Type)
	}
	return nil
}

// responsesText joins a content: a text, or parts.
func responsesText(h *heard, content json.RawMessage, role string) (string, error) {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return text, nil
	}
	var parts []struct {
		Type, Text, Refusal string
		ImageURL            string `json:"image_url"`
		Detail              string
		Annotations         []any
		Logprobs            []any
	}
	if err := strictly(content, &parts); err != nil {
		return "", err
	}
	for _, p := range parts {
		switch {
		case p.Type == "input_text" && role != "assistant", p.Type == "output_text" && role == "assistant":
			text += p.Text
		case p.Type == "input_image" && role == "user":
			h.images = append(h.images, mediaType(p.ImageURL))
		default:
			return "", fmt.Errorf("a part %q of the role %q", p.Type, role)
		}
	}
	return text, nil
}

// responsesOutput are the items of an answer.
func responsesOutput(in responsesRequest, step int, actions []action) []object {
	var items []object
	for _, a := range actions {
		id := fmt.Sprintf("%d_%d", step, len(items))
		switch a.verb {
		case "think":
			summary := []any{}
			if in.Reasoning != nil && in.Reasoning.Summary != "" {
				summary = []any{object{"type": "summary_text", "text": a.rest}}
			}
			item := object{"id": "rs_" + id, "type": "reasoning", "summary": summary}
			if slices.Contains(in.Include, "reasoning.encrypted_content") {
				item["encrypted_content"] = sign("openai", "reasoning")
			}
			items = append(items, item)
		case "say":
			items = append(items, object{"id": "msg_" + id, "type": "message", "status": "completed", "role": "assistant",
				"content": []any{object{"type": "output_text", "text": a.rest, "annotations": []any{}, "logprobs": []any{}}}})
		case "call":
			name, arguments := a.call()
			if slices.ContainsFunc(in.Tools, func(t responsesTool) bool { return t.Name == name && t.Type == "custom" }) {
				items = append(items, object{"id": "ctc_" + id, "type": "custom_tool_call", "status": "completed", "call_id": "call_" + id, "name": name, "input": arguments})
				continue
			}
			item := object{"id": "fc_" + id, "type": "function_call", "status": "completed", "call_id": "call_" + id, "name": name, "arguments": arguments}
			if namespace, inner, ok := strings.Cut(name, "__"); ok {
				item["namespace"], item["name"] = namespace, inner
			}
			items = append(items, item)
		}
	}
	return items
}

// responsesObject is the answer as a document.
func responsesObject(in responsesRequest, status string, output []object, actions []action) object {
	if output == nil {
		output = []object{}
	}
	r := object{"id": "resp_scripted", "object": "response", "created_at": 1767225600, "status": status, "background": false, "error": nil,
		"incomplete_details": nil, "instructions": nil, "max_output_tokens": nil, "model": in.Model + "-2025-08-07", "output": output,
		"parallel_tool_calls": true, "previous_response_id": nil, "reasoning": object{"effort": "medium", "summary": nil}, "store": false,
		"temperature": 1, "text": object{"format": object{"type": "text"}}, "tool_choice": "auto", "tools": []any{}, "top_p": 1,
		"truncation": "disabled", "usage": nil, "user": nil, "metadata": object{}}
	if status == "in_progress" {
		return r
	}
	if has(actions, "length") {
		r["status"], r["incomplete_details"] = "incomplete", object{"reason": "max_output_tokens"}
	}
	thought := 0
	if has(actions, "think") {
		thought = tokensThought
	}
	r["usage"] = object{"input_tokens": tokensFresh + tokensCached, "input_tokens_details": object{"cached_tokens": tokensCached},
		"output_tokens": tokensVisible + thought, "output_tokens_details": object{"reasoning_tokens": thought},
		"total_tokens": tokensFresh + tokensCached + tokensVisible + thought}
	return r
}

// responsesStream tells the answer event by event.
func responsesStream(in responsesRequest, step int, actions []action) answer {
	var a answer
	number := 0
	send := func(kind string, event object) {
		event["type"], event["sequence_number"] = kind, number
		number++
		a.events = append(a.events, "event: "+kind+"\ndata: "+encoded(event)+"\n\n")
	}
	send("response.created", object{"response": responsesObject(in, "in_progress", nil, nil)})
	send("response.in_progress", object{"response": responsesObject(in, "in_progress", nil, nil)})
	output := responsesOutput(in, step, actions)
	for i, item := range output {
		streamItem(send, i, item)
		if has(actions, "cut") {
			a.cut = true
			a.events = a.events[:len(a.events)-3] // within the item
			return a
		}
	}
	end := responsesObject(in, "completed", output, actions)
	send("response."+end["status"].(string), object{"response": end})
	return a
}

// streamItem tells one item: that it begins, its pieces, that it is done.
func streamItem(send func(string, object), i int, item object) {
	begun := object{}
	for name, value := range item {
		begun[name] = value
	}
	at := func(more object) object {
		more["output_index"], more["item_id"] = i, item["id"]
		return more
	}
	switch item["type"] {
	case "message":
		begun["status"], begun["content"] = "in_progress", []any{}
		part := item["content"].([]any)[0].(object)
		text := part["text"].(string)
		send("response.output_item.added", object{"output_index": i, "item": begun})
		send("response.content_part.added", at(object{"content_index": 0, "part": object{"type": "output_text", "text": "", "annotations": []any{}, "logprobs": []any{}}}))
		for _, piece := range halves(text) {
			send("response.output_text.delta", at(object{"content_index": 0, "delta": piece, "logprobs": []any{}}))
		}
		send("response.output_text.done", at(object{"content_index": 0, "text": text, "logprobs": []any{}}))
		send("response.content_part.done", at(object{"content_index": 0, "part": part}))
	case "reasoning":
		begun["summary"] = []any{}
		delete(begun, "encrypted_content")
		send("response.output_item.added", object{"output_index": i, "item": begun})
		for n, s := range item["summary"].([]any) {
			text := s.(object)["text"].(string)
			send("response.reasoning_summary_part.added", at(object{"summary_index": n, "part": object{"type": "summary_text", "text": ""}}))
			for _, piece := range halves(text) {
				send("response.reasoning_summary_text.delta", at(object{"summary_index": n, "delta": piece}))
			}
			send("response.reasoning_summary_text.done", at(object{"summary_index": n, "text": text}))
			send("response.reasoning_summary_part.done", at(object{"summary_index": n, "part": s}))
		}
	case "function_call":
		begun["status"], begun["arguments"] = "in_progress", ""
		send("response.output_item.added", object{"output_index": i, "item": begun})
		for _, piece := range halves(item["arguments"].(string)) {
			send("response.function_call_arguments.delta", at(object{"delta": piece}))
		}
		send("response.function_call_arguments.done", at(object{"arguments": item["arguments"], "name": item["name"]}))
	case "custom_tool_call":
		begun["status"], begun["input"] = "in_progress", ""
		send("response.output_item.added", object{"output_index": i, "item": begun})
		send("response.custom_tool_call_input.delta", at(object{"delta": item["input"]}))
		send("response.custom_tool_call_input.done", at(object{"input": item["input"]}))
	}
	send("response.output_item.done", object{"output_index": i, "item": item})
}
