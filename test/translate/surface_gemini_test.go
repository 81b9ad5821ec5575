package translate_test

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// generateSurface is what Google's SDKs speak; with array, streams are a JSON
// array instead of events.
type generateSurface struct{ array bool }

func (c generateSurface) name() string {
	if c.array {
		return "gemini array"
	}
	return "gemini"
}

func (generateSurface) auth() string { return "X-Goog-Api-Key" }

// request implements surface.
func (c generateSurface) request(s *scene, model string, stream bool, first *reply) (path, body string) {
	parts := list{obj{"text": s.prompt()}}
	picture := obj{"inlineData": obj{"mimeType": "image/png", "data": imageData}}
	if s.ask.imageURL {
		parts = append(parts, obj{"fileData": obj{"mimeType": "image/png", "fileUri": imageURL}})
	}
	if s.ask.imageData {
		parts = append(parts, picture)
	}
	contents := list{obj{"role": "user", "parts": parts}}
	if first != nil {
		var results list
		answers := slices.Clone(s.results)
		if first.calls[0].id == "" { // then only names and order connect them
			slices.SortFunc(answers, func(a, b result) int { return a.call - b.call })
		}
		for _, r := range answers {
			made := first.calls[r.call]
			response := obj{"name": made.name, "response": obj{"output": r.text}}
			if made.id != "" {
				response["id"] = made.id
			}
			if r.image {
				response["parts"] = list{picture}
			}
			results = append(results, obj{"functionResponse": response})
		}
		contents = append(contents, obj{"role": "model", "parts": first.echo}, obj{"role": "user", "parts": results})
	}
	config := obj{"maxOutputTokens": 200, "temperature": 0.5}
	if s.ask.think {
		config = obj{"maxOutputTokens": 8000, "thinkingConfig": obj{"thinkingBudget": 2048, "includeThoughts": true}}
	}
	if s.ask.stop != "" {
		config["stopSequences"] = list{s.ask.stop}
	}
	if s.ask.schema {
		config["responseMimeType"], config["responseJsonSchema"] = "application/json", json.RawMessage(schema)
	}
	q := obj{"systemInstruction": obj{"parts": list{obj{"text": system}}}, "contents": contents, "generationConfig": config}
	if s.ask.tools {
		var declared list
		for _, t := range tools {
			declared = append(declared, obj{"name": t.name, "description": t.about, "parametersJsonSchema": json.RawMessage(t.schema)})
		}
		q["tools"] = list{obj{"functionDeclarations": declared}}
		q["toolConfig"] = obj{"functionCallingConfig": obj{"mode": "AUTO"}}
	}
	method := ":generateContent"
	if stream {
		if method = ":streamGenerateContent"; !c.array {
			method += "?alt=sse"
		}
	}
	return "/v1beta/models/" + model + method, js(q)
}

type generateReply struct {
	Candidates []struct {
		Index        int
		Content      struct{ Parts []json.RawMessage }
		FinishReason string
	}
	PromptFeedback *struct{ BlockReason string }
	UsageMetadata  json.RawMessage
	ModelVersion   string
	Error          json.RawMessage
}

// add takes one document; echo is what is sent back.
func (c generateSurface) add(r *reply, echo list, doc []byte) list {
	var v generateReply
	if !r.decode(doc, &v) {
		return echo
	}
	if r.ended || r.broke {
		r.refuse("%.200s behind the end", doc)
	}
	if v.Error != nil {
		r.fault, _, _ = c.fault(doc)
		r.broke = true
		return echo
	}
	r.model = v.ModelVersion
	if v.UsageMetadata != nil {
		r.usage = numbers(v.UsageMetadata)
	}
	if v.PromptFeedback != nil && len(v.Candidates) == 0 {
		r.reason, r.ended = v.PromptFeedback.BlockReason, true
		return echo
	}
	if len(v.Candidates) != 1 {
		r.refuse("not an answer: %.200s", doc)
		return echo
	}
	for _, raw := range v.Candidates[0].Content.Parts {
		var part struct {
			Text             *string
			Thought          bool
			ThoughtSignature string
			FunctionCall     *struct {
				ID, Name string
				Args     json.RawMessage
			}
		}
		if !r.decode(raw, &part) {
			continue
		}
		r.signed = r.signed || part.ThoughtSignature != ""
		switch {
		case part.FunctionCall != nil:
			f := part.FunctionCall
			if f.Args == nil {
				f.Args = json.RawMessage("{}")
			}
			r.calls = append(r.calls, call{f.ID, f.Name, string(f.Args)})
		case part.Text != nil && part.Thought:
			r.thought += *part.Text
		case part.Text != nil:
			if r.text += *part.Text; *part.Text == "" && part.ThoughtSignature == "" {
				continue
			}
		default:
			r.refuse("part %s", raw)
		}
		echo = append(echo, raw)
	}
	if reason := v.Candidates[0].FinishReason; reason != "" {
		r.reason, r.ended = reason, true
	}
	return echo
}

// whole implements surface.
func (c generateSurface) whole(r *reply, doc []byte) {
	r.echo = c.add(r, list{}, doc)
}

// stream implements surface.
func (c generateSurface) stream(r *reply, body []byte) {
	echo := list{}
	if c.array {
		c.streamArray(r, body)
		return
	}
	for _, e := range r.events(body, "\r\n") {
		if e.name != "" || strings.Contains(e.data, "[DONE]") {
			r.refuse("event %v", e)
		}
		echo = c.add(r, echo, []byte(e.data))
	}
	r.echo = echo
}

// streamArray reads a stream in the form of an array; one that broke off is no
// JSON.
func (c generateSurface) streamArray(r *reply, body []byte) {
	var docs []json.RawMessage
	if err := json.Unmarshal(body, &docs); err != nil {
		r.broke, r.fault = true, string(sluice.CodeProviderError)
		if err := json.Unmarshal(append(body, ']'), &docs); err != nil {
			r.refuse("an array that breaks within an element: %.200s", body)
		}
		if len(docs) > 0 {
			part := &reply{}
			for _, doc := range docs {
				c.add(part, nil, doc)
			}
			if r.text = part.text; part.ended {
				r.refuse("an array that broke states a reason")
			}
		}
		return
	}
	echo := list{}
	for _, doc := range docs {
		echo = c.add(r, echo, doc)
	}
	r.echo = echo
}

// fault implements surface.
func (generateSurface) fault(doc []byte) (code, field string, ok bool) {
	if list := []json.RawMessage{}; json.Unmarshal(doc, &list) == nil && len(list) == 1 {
		doc = list[0]
	}
	var e struct {
		Error struct {
			Code            int
			Message, Status string
			Details         []struct {
				Reason          string
				FieldViolations []struct{ Field string }
			}
		}
	}
	err := json.Unmarshal(doc, &e)
	for _, d := range e.Error.Details {
		if d.Reason != "" {
			code = d.Reason
		}
		for _, v := range d.FieldViolations {
			field = v.Field
		}
	}
	return code, field, err == nil && e.Error.Code >= 400 && e.Error.Message != "" && e.Error.Status != ""
}

// shows implements surface: the text of a refusal is text.
func (generateSurface) shows(s said) said {
	s.text, s.refusal, s.sequence = s.text+s.refusal, "", ""
	return s
}

// reason implements surface.
func (generateSurface) reason(s said) string {
	switch s.stop {
	case stopLength:
		return "MAX_TOKENS"
	case stopFilter, stopRefusal:
		return "SAFETY"
	}
	return "STOP"
}

// usage implements surface: thoughts lie beside the candidates' tokens.
func (generateSurface) usage(u sluice.Usage) map[string]int64 {
	in := u.Input + u.CachedInput + u.CacheWrite5m + u.CacheWrite1h
	return map[string]int64{
		"promptTokenCount": in, "cachedContentTokenCount": u.CachedInput, "candidatesTokenCount": u.Output,
		"thoughtsTokenCount": u.Reasoning, "totalTokenCount": in + u.Output + u.Reasoning,
	}
}
