package sdk_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const geminiKey = "AIza-scripted"

// newGemini starts a provider that speaks Google's API.
func newGemini(t *testing.T) *upstream {
	t.Helper()
	return newUpstream(t, "X-Goog-Api-Key", geminiKey, func(err error) any { return geminiError(400, "INVALID_ARGUMENT", err.Error()) },
		map[string]respond{"POST /v1beta/models/{call}": gemini})
}

func geminiError(code int, status, message string) any {
	return object{"error": object{"code": code, "message": message, "status": status}}
}

func geminiFailure(status int) answer {
	name := map[int]string{400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}[status]
	if name == "" {
		name = "INTERNAL"
	}
	return answer{status: status, body: geminiError(status, name, "scripted failure")}
}

// geminiRequest is the body of generateContent; what is not here Google refuses.
type geminiRequest struct {
	Model             string // of countTokens alone
	Contents          []geminiContent
	SystemInstruction *geminiContent
	Tools             []struct{ FunctionDeclarations []geminiFunction }
	ToolConfig        *struct {
		FunctionCallingConfig *struct {
			Mode                 string
			AllowedFunctionNames []string
		}
	}
	GenerationConfig *struct {
		MaxOutputTokens, CandidateCount, TopK, Seed *int
		Temperature, TopP                           json.Number
		PresencePenalty, FrequencyPenalty           json.Number
		StopSequences                               []string
		ResponseMimeType                            string
		ResponseJSONSchema                          json.RawMessage
		ResponseSchema                              json.RawMessage
		ThinkingConfig                              *struct {
			IncludeThoughts bool
			ThinkingBudget  *int
			ThinkingLevel   string
		}
		ResponseModalities []string
	}
	SafetySettings any
	Labels         map[string]string
}

type geminiFunction struct {
	Name, Description    string
	Parameters           map[string]any
	ParametersJSONSchema map[string]any
	ResponseJSONSchema   map[string]any
	Behavior             string
}

type geminiContent struct {
	Role  string
	Parts []geminiPart
}

type geminiPart struct {
	Text             string
	Thought          bool
	ThoughtSignature string
	InlineData       *struct{ MimeType, Data, DisplayName string }
	FileData         *struct{ MimeType, FileURI, DisplayName string }
	FunctionCall     *struct {
		ID, Name string
		Args     map[string]any
	}
	FunctionResponse *struct {
		ID, Name string
		Response map[string]any
		Parts    []geminiPart
	}
}

// gemini answers what follows the model's name in the path.
func gemini(r *http.Request, body []byte) (answer, error) {
	model, verb, _ := strings.Cut(r.PathValue("call"), ":")
	switch {
	case model == "gemini-embedding-001" && verb == "batchEmbedContents":
		return geminiBatch(body)
	case model == "gemini-embedding-001" && verb == "embedContent":
		return geminiOne(body)
	case model != "gemini-3-pro-preview":
		return answer{}, fmt.Errorf("models/%s is not found", model)
	case verb == "countTokens":
		return geminiCount(body)
	case verb == "generateContent", verb == "streamGenerateContent" && r.URL.Query().Get("alt") == "sse":
		return geminiAnswer(body, verb != "generateContent")
	}
	return answer{}, fmt.Errorf("method %q", verb)
}

// geminiCount answers countTokens.
func geminiCount(body []byte) (answer, error) {
	var in struct {
		Contents               []geminiContent
		GenerateContentRequest *geminiRequest
	}
	if err := strictly(body, &in); err != nil {
		return answer{}, err
	}
	if (in.Contents == nil) == (in.GenerateContentRequest == nil) {
		return answer{}, errors.New("either contents or a request are counted")
	}
	if q := in.GenerateContentRequest; q != nil && q.Model != "models/gemini-3-pro-preview" {
		return answer{}, fmt.Errorf("the model %q", q.Model)
	}
	return answer{body: object{"totalTokens": tokensCounted, "promptTokensDetails": []any{object{"modality": "TEXT", "tokenCount": tokensCounted}}}}, nil
}

// geminiAnswer answers generateContent and its stream.
func geminiAnswer(body []byte, stream bool) (answer, error) {
	var in geminiRequest
	if err := strictly(snake.ReplaceAllFunc(body, camel), &in); err != nil {
		return answer{}, err
	}
	h, err := in.hear()
	if err != nil {
		return answer{}, err
	}
	actions, err := h.actions()
	if err != nil {
		return answer{}, err
	}
	if s := status(actions); s != 0 {
		return geminiFailure(s), nil
	}
	parts := in.parts(h.step, actions)
	if !stream {
		return answer{body: geminiDocument(parts, geminiEnd(actions), geminiUsage(actions))}, nil
	}
	return geminiStream(parts, actions), nil
}

// snake finds names with underscores where Google's own SDK writes some: ProtoJSON
// takes both forms.
var snake = regexp.MustCompile(`"(parameters|response)_json_schema":`)

// camel is the other form of such a name.
func camel(name []byte) []byte {
	return bytes.ReplaceAll(name, []byte("_json_schema"), []byte("JsonSchema"))
}

// hear reads the conversation.
func (in *geminiRequest) hear() (*heard, error) {
	h := &heard{}
	for _, tool := range in.Tools {
		for _, f := range tool.FunctionDeclarations {
			if f.Name == "" || f.Parameters != nil && f.ParametersJSONSchema != nil {
				return nil, fmt.Errorf("a function that cannot be: %+v", f)
			}
			h.tools = append(h.tools, f.Name)
		}
	}
	if g := in.GenerationConfig; g != nil && (g.ResponseJSONSchema != nil || g.ResponseSchema != nil) {
		if g.ResponseMimeType != "application/json" || g.ResponseJSONSchema != nil && g.ResponseSchema != nil {
			return nil, errors.New("a schema without application/json, or two")
		}
		if err := h.wants(append(g.ResponseJSONSchema, g.ResponseSchema...)); err != nil {
			return nil, err
		}
	}
	if in.SystemInstruction != nil {
		for _, p := range in.SystemInstruction.Parts {
			h.system += p.Text
		}
	}
	if len(in.Contents) == 0 {
		return nil, errors.New("contents are missing")
	}
	var open []string
	for i, c := range in.Contents {
		var err error
		if open, err = c.hear(h, open); err != nil {
			return nil, fmt.Errorf("contents[%d]: %w", i, err)
		}
	}
	if len(open) > 0 {
		return nil, errors.New("function calls without responses")
	}
	return h, nil
}

// hear takes one turn into account. open are the functions that were called in
// the turn before; the result are those called in this one.
func (c geminiContent) hear(h *heard, open []string) (called []string, err error) {
	var text string
	responses := 0
	for _, p := range c.Parts {
		switch {
		case p.FunctionCall != nil && c.Role == "model":
			// From Gemini 3 on, the first call of a step has to come back signed.
			if err := p.signed(h); err != nil && len(called) == 0 {
				return nil, err
			}
			called = append(called, p.FunctionCall.Name)
		case p.FunctionResponse != nil && c.Role == "user":
			if responses >= len(open) || open[responses] != p.FunctionResponse.Name {
				return nil, fmt.Errorf("the response of %q answers no call of %q", p.FunctionResponse.Name, open)
			}
			responses++
			h.results = append(h.results, p.output())
			for _, inner := range p.FunctionResponse.Parts {
				h.images = append(h.images, inner.InlineData.MimeType)
			}
		case p.InlineData != nil && p.InlineData.MimeType != "" && p.InlineData.Data != "":
			h.images = append(h.images, p.InlineData.MimeType)
		case p.FileData != nil:
			h.images = append(h.images, p.FileData.FileURI)
		case p.Text != "" || p.Thought || p.ThoughtSignature != "":
			if p.ThoughtSignature != "" {
				if err := p.signed(h); err != nil {
					return nil, err
				}
			}
			text += p.Text
		default:
			return nil, errors.New("a part without data")
		}
	}
	if responses != len(open) {
		return nil, fmt.Errorf("%d responses to %d calls", responses, len(open))
	}
	switch c.Role {
	case "model":
		h.step++
	case "user", "":
		h.says(text)
	default:
		return nil, fmt.Errorf("role %q", c.Role)
	}
	return called, nil
}

// skipSignature stands on calls that another model made.
const skipSignature = "skip_thought_signature_validator"

// signed checks the signature of a part.
func (p geminiPart) signed(h *heard) error {
	switch raw, err := base64.StdEncoding.DecodeString(p.ThoughtSignature); {
	case p.ThoughtSignature == skipSignature, string(raw) == skipSignature:
		return nil
	case err != nil || string(raw) != sign("gemini", "call"):
		return fmt.Errorf("the thought signature %q is missing or not valid", p.ThoughtSignature)
	}
	h.signed++
	return nil
}

// output is the text of a response.
func (p geminiPart) output() string {
	for _, name := range []string{"output", "error", "result"} {
		if text, ok := p.FunctionResponse.Response[name].(string); ok && len(p.FunctionResponse.Response) == 1 {
			return text
		}
	}
	return encoded(p.FunctionResponse.Response)
}

// parts are those of an answer; thoughts are told only to who asked for them.
func (in *geminiRequest) parts(step int, actions []action) []object {
	var parts []object
	signature := base64.StdEncoding.EncodeToString([]byte(sign("gemini", "call")))
	calls := 0
	for _, a := range actions {
		switch a.verb {
		case "think":
			if g := in.GenerationConfig; g != nil && g.ThinkingConfig != nil && g.ThinkingConfig.IncludeThoughts {
				parts = append(parts, object{"text": a.rest, "thought": true})
			}
		case "say":
			parts = append(parts, object{"text": a.rest})
		case "call":
			name, arguments := a.call()
			part := object{"functionCall": object{"name": name, "args": json.RawMessage(arguments), "id": fmt.Sprintf("fn_%d_%d", step, calls)}}
			if calls++; calls == 1 {
				part["thoughtSignature"] = signature
			}
			parts = append(parts, part)
		}
	}
	return parts
}

func geminiEnd(actions []action) string {
	if has(actions, "length") {
		return "MAX_TOKENS"
	}
	return "STOP"
}

// geminiUsage is the usage of every answer; thoughts lie outside candidates.
func geminiUsage(actions []action) object {
	usage := object{"promptTokenCount": tokensFresh + tokensCached, "cachedContentTokenCount": tokensCached, "candidatesTokenCount": tokensVisible,
		"totalTokenCount": tokensFresh + tokensCached + tokensVisible}
	if has(actions, "think") {
		usage["thoughtsTokenCount"] = tokensThought
		usage["totalTokenCount"] = tokensFresh + tokensCached + tokensVisible + tokensThought
	}
	return usage
}

func geminiDocument(parts []object, end any, usage object) object {
	candidate := object{"content": object{"parts": parts, "role": "model"}, "index": 0}
	if end != nil {
		candidate["finishReason"] = end
	}
	return object{"candidates": []any{candidate}, "usageMetadata": usage, "modelVersion": "gemini-3-pro-preview", "responseId": "scripted"}
}

// geminiStream tells the answer part by part, texts in pieces, calls whole.
func geminiStream(parts []object, actions []action) answer {
	var a answer
	send := func(d object) { a.events = append(a.events, "data: "+encoded(d)+"\r\n\r\n") }
	for _, part := range parts {
		text, isText := part["text"].(string)
		if !isText {
			send(geminiDocument([]object{part}, nil, object{"promptTokenCount": tokensFresh + tokensCached}))
			continue
		}
		for _, piece := range halves(text) {
			next := object{"text": piece}
			if part["thought"] == true {
				next["thought"] = true
			}
			send(geminiDocument([]object{next}, nil, object{"promptTokenCount": tokensFresh + tokensCached}))
		}
	}
	if has(actions, "cut") {
		a.cut = true
		return a
	}
	send(geminiDocument([]object{{"text": ""}}, geminiEnd(actions), geminiUsage(actions)))
	return a
}
