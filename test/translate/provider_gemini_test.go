package translate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// generateAPI is Gemini's generateContent.
type generateAPI struct{}

type generateContent struct {
	Role  string            `json:"role"`
	Parts []json.RawMessage `json:"parts"`
}

type generateRequest struct {
	Contents          []generateContent `json:"contents"`
	SystemInstruction *generateContent  `json:"systemInstruction"`
	Tools             []struct {
		FunctionDeclarations []struct {
			Name                 string          `json:"name"`
			Description          string          `json:"description"`
			Parameters           json.RawMessage `json:"parameters"`
			ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema"`
		} `json:"functionDeclarations"`
	} `json:"tools"`
	ToolConfig       json.RawMessage `json:"toolConfig"`
	GenerationConfig *struct {
		MaxOutputTokens    *int            `json:"maxOutputTokens"`
		Temperature        *float64        `json:"temperature"`
		TopP               *float64        `json:"topP"`
		StopSequences      []string        `json:"stopSequences"`
		ResponseMimeType   string          `json:"responseMimeType"`
		ResponseJSONSchema json.RawMessage `json:"responseJsonSchema"`
		ResponseSchema     json.RawMessage `json:"responseSchema"`
		ThinkingConfig     *struct {
			IncludeThoughts bool   `json:"includeThoughts"`
			ThinkingBudget  *int   `json:"thinkingBudget"`
			ThinkingLevel   string `json:"thinkingLevel"`
		} `json:"thinkingConfig"`
	} `json:"generationConfig"`
}

type generatePart struct {
	Text             *string        `json:"text"`
	Thought          bool           `json:"thought"`
	ThoughtSignature string         `json:"thoughtSignature"`
	InlineData       *generateMedia `json:"inlineData"`
	FileData         *generateMedia `json:"fileData"`
	FunctionCall     *struct {
		ID   string          `json:"id"`
		Name string          `json:"name"`
		Args json.RawMessage `json:"args"`
	} `json:"functionCall"`
	FunctionResponse *struct {
		ID       string          `json:"id"`
		Name     string          `json:"name"`
		Response json.RawMessage `json:"response"`
		Parts    []generatePart  `json:"parts"`
	} `json:"functionResponse"`
}

type generateMedia struct {
	MimeType string `json:"mimeType"`
	Data     string `json:"data"`
	FileURI  string `json:"fileUri"`
}

func (generateAPI) credential() string { return "X-Goog-Api-Key" }

// hear implements protocol.
func (p generateAPI) hear(h *heard, r *http.Request, body []byte) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1beta/models/")
	model, method, _ := strings.Cut(rest, ":")
	h.model, h.stream = model, method == "streamGenerateContent"
	if r.Method != "POST" || !ok || h.stream && r.URL.RawQuery != "alt=sse" || !h.stream && (method != "generateContent" || r.URL.RawQuery != "") {
		h.refuse("%s %s", r.Method, r.URL)
	}
	var q generateRequest
	if !h.strictly(body, &q) {
		return
	}
	if q.SystemInstruction != nil {
		for _, raw := range q.SystemInstruction.Parts {
			part := p.part(h, raw)
			if part.Text == nil {
				h.refuse("systemInstruction must be text")
				continue
			}
			h.system += *part.Text
		}
	}
	p.hearTools(h, &q)
	p.hearConfig(h, &q)
	if len(q.Contents) == 0 {
		h.refuse("contents is not specified")
	}
	for i, c := range q.Contents {
		p.hearContent(h, &c, i+1 < len(q.Contents) && q.Contents[i+1].Role == "user", model)
	}
	h.paired()
}

// foreign are words that Gemini's own schema dialect does not know.
var foreign = []string{`"additionalProperties"`, `"$ref"`, `"const"`, `"$schema"`, `"patternProperties"`, `"type":[`}

func (generateAPI) hearTools(h *heard, q *generateRequest) {
	for _, group := range q.Tools {
		for _, f := range group.FunctionDeclarations {
			h.tools = append(h.tools, f.Name)
			for _, word := range foreign {
				if bytes.Contains(f.Parameters, []byte(word)) {
					h.refuse("parameters: unknown name %s", word)
				}
			}
			if len(f.Parameters) > 0 && len(f.ParametersJSONSchema) > 0 {
				h.refuse("parameters and parametersJsonSchema")
			}
			if f.Name == "weather" && !strings.Contains(string(f.Parameters)+string(f.ParametersJSONSchema), `"city"`) {
				h.refuse("the schema of the tool was lost")
			}
		}
	}
}

func (generateAPI) hearConfig(h *heard, q *generateRequest) {
	c := q.GenerationConfig
	if c == nil {
		return
	}
	if c.Temperature != nil && (*c.Temperature < 0 || *c.Temperature > 2) || len(c.StopSequences) > 5 {
		h.refuse("generationConfig is out of range")
	}
	h.stops = c.StopSequences
	if h.schema = string(c.ResponseJSONSchema); len(c.ResponseSchema) > 0 {
		h.schema = string(c.ResponseSchema)
		for _, word := range foreign {
			if strings.Contains(h.schema, word) {
				h.refuse("response_schema: unknown name %s", word)
			}
		}
	}
	if h.schema != "" && c.ResponseMimeType != "application/json" {
		h.refuse("a schema needs the media type application/json")
	}
	if t := c.ThinkingConfig; t != nil {
		h.thinks, h.shows = true, t.IncludeThoughts
		if !strings.HasPrefix(h.model, "gemini-3") && t.ThinkingLevel != "" || t.ThinkingBudget != nil && t.ThinkingLevel != "" {
			h.refuse("thinkingConfig")
		}
	}
}

// part reads one part, which has to hold exactly one thing.
func (generateAPI) part(h *heard, raw json.RawMessage) (part generatePart) {
	h.strictly(raw, &part)
	held := 0
	for _, has := range []bool{part.Text != nil, part.InlineData != nil, part.FileData != nil, part.FunctionCall != nil, part.FunctionResponse != nil} {
		if has {
			held++
		}
	}
	if held != 1 {
		h.refuse("required oneof field 'data' must have one initialized field: %.100s", raw)
	}
	return part
}

func (p generateAPI) hearContent(h *heard, c *generateContent, more bool, model string) {
	if c.Role != "user" && c.Role != "model" || len(c.Parts) == 0 {
		h.refuse("contents of role %q with %d parts", c.Role, len(c.Parts))
	}
	first := true
	for _, raw := range c.Parts {
		part := p.part(h, raw)
		h.signature += part.ThoughtSignature
		switch {
		case part.Text != nil && c.Role == "user":
			h.prompts = append(h.prompts, *part.Text)
		case part.Text != nil:
			if *part.Text == "" && part.ThoughtSignature == "" {
				h.refuse("an empty text")
			}
		case part.InlineData != nil || part.FileData != nil:
			h.images += p.media(h, &part)
		case part.FunctionCall != nil:
			if c.Role != "model" || !more {
				h.refuse("a function call must be followed by a turn of function responses")
			}
			if first && strings.HasPrefix(model, "gemini-3") && part.ThoughtSignature == "" {
				h.refuse("function call is missing a thought_signature")
			}
			first = false
			if len(part.FunctionCall.Args) == 0 {
				part.FunctionCall.Args = json.RawMessage("{}")
			}
			if part.FunctionCall.ID == "" {
				part.FunctionCall.ID = fmt.Sprintf("#%d", len(h.calls))
			}
			h.calls = append(h.calls, call{part.FunctionCall.ID, part.FunctionCall.Name, string(part.FunctionCall.Args)})
		case part.FunctionResponse != nil:
			p.hearResponse(h, c, &part)
		}
	}
}

func (p generateAPI) hearResponse(h *heard, c *generateContent, part *generatePart) {
	f := part.FunctionResponse
	if c.Role != "user" || !bytes.HasPrefix(f.Response, []byte("{")) {
		h.refuse("a function response in role %q: %s", c.Role, f.Response)
	}
	r := heardResult{id: f.ID, text: string(f.Response)}
	for i := range f.Parts {
		r.images += p.media(h, &f.Parts[i])
	}
	answered := func(id string) bool {
		return slices.ContainsFunc(h.results, func(r heardResult) bool { return r.id == id })
	}
	at := slices.IndexFunc(h.calls, func(c call) bool {
		return c.name == f.Name && (c.id == f.ID || f.ID == "") && !answered(c.id)
	})
	if at < 0 {
		h.refuse("the response of %s does not fit its call", f.Name)
		return
	}
	r.id = h.calls[at].id
	h.results = append(h.results, r)
}

func (generateAPI) media(h *heard, part *generatePart) int {
	d, f := part.InlineData, part.FileData
	if !(d != nil && d.MimeType == "image/png" && d.Data == imageData || f != nil && f.FileURI == imageURL) {
		h.refuse("media %v %v", d, f)
	}
	return 1
}

// tells implements protocol.
func (generateAPI) tells(h *heard, s said) said {
	s.usage.Input += s.usage.CacheWrite5m + s.usage.CacheWrite1h
	s.usage.CacheWrite5m, s.usage.CacheWrite1h, s.sequence = 0, 0, ""
	if s.stop == stopSequence {
		s.stop = stopEnd
	}
	if s.stop == stopRefusal {
		s.stop, s.refusal = stopFilter, ""
		s.usage.Output = 0
	}
	if !h.shows {
		s.thought = ""
	}
	if !h.thinks {
		s.signature = ""
		s.usage.Output += s.usage.Reasoning
		s.usage.Reasoning = 0
	}
	s.calls = append([]call(nil), s.calls...)
	return s
}

var generateReasons = map[string]string{stopEnd: "STOP", stopCalls: "STOP", stopLength: "MAX_TOKENS", stopFilter: "SAFETY", "": "STOP"}

func (generateAPI) usage(s said, done bool) obj {
	u := s.usage
	usage := obj{"promptTokenCount": u.Input + u.CachedInput, "totalTokenCount": u.Total(), "promptTokensDetails": list{obj{"modality": "TEXT", "tokenCount": u.Input + u.CachedInput}}}
	if u.CachedInput > 0 {
		usage["cachedContentTokenCount"] = u.CachedInput
	}
	if u.Reasoning > 0 {
		usage["thoughtsTokenCount"] = u.Reasoning
	}
	if done && u.Output > 0 {
		usage["candidatesTokenCount"] = u.Output
	}
	return usage
}

// response is one chunk; a prompt that was blocked has no candidates.
func (p generateAPI) response(s said, parts list, reason string) obj {
	r := obj{"responseId": "r1", "modelVersion": "their-model", "usageMetadata": p.usage(s, reason != "")}
	if s.stop == stopFilter && s.text == "" {
		r["promptFeedback"] = obj{"blockReason": "SAFETY"}
		return r
	}
	candidate := obj{"index": 0}
	if candidate["content"] = (obj{"role": "model", "parts": parts}); len(parts) == 0 {
		candidate["content"] = obj{"role": "model"}
	}
	if reason != "" {
		candidate["finishReason"] = reason
	}
	r["candidates"] = list{candidate}
	return r
}

// parts are those of an answer, texts in pieces if it is streamed.
func (generateAPI) parts(s said, cut func(string) []string) (parts list) {
	for _, piece := range cut(s.thought) {
		parts = append(parts, obj{"text": piece, "thought": true})
	}
	for _, piece := range cut(s.text) {
		parts = append(parts, obj{"text": piece})
	}
	for i, c := range s.calls {
		part := obj{"functionCall": obj{"name": c.name, "args": json.RawMessage(c.args)}}
		if c.args == "{}" {
			part = obj{"functionCall": obj{"name": c.name}}
		}
		if i == 0 && s.signature != "" {
			part["thoughtSignature"] = s.signature
		}
		parts = append(parts, part)
	}
	if len(s.calls) == 0 && s.signature != "" {
		parts = append(parts, obj{"text": "", "thoughtSignature": s.signature})
	}
	return parts
}

// whole implements protocol.
func (p generateAPI) whole(s said) string {
	once := func(text string) []string {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	return js(p.response(s, p.parts(s, once), generateReasons[s.stop]))
}

// frames implements protocol.
func (p generateAPI) frames(s said) (events []string, content int) {
	for _, part := range p.parts(s, pieces) {
		events = append(events, "data: "+js(p.response(s, list{part}, ""))+"\r\n\r\n")
	}
	return append(events, "data: "+js(p.response(s, nil, generateReasons[s.stop]))+"\r\n\r\n"), 0
}

// failure implements protocol.
func (generateAPI) failure(message string, event bool) string {
	doc := js(obj{"error": obj{"code": 503, "message": message, "status": "UNAVAILABLE"}})
	if event {
		return "data: " + doc + "\r\n\r\n"
	}
	return doc
}
