package gemini

import "encoding/json"

// request is a GenerateContentRequest as this package writes it; what it reads
// is [asked], whose members are looked at one by one.
type request struct {
	SystemInstruction *content          `json:"systemInstruction,omitempty"`
	Contents          []content         `json:"contents"`
	Tools             []json.RawMessage `json:"tools,omitempty"`
	ToolConfig        *toolConfig       `json:"toolConfig,omitempty"`
	GenerationConfig  *generation       `json:"generationConfig,omitempty"`
}

// content is what one side says at a time.
type content struct {
	Parts []part `json:"parts,omitempty"`
	Role  string `json:"role,omitempty"`
}

// The roles of a content. "function" is an old name of a user who brings
// results.
const (
	roleUser     = "user"
	roleModel    = "model"
	roleFunction = "function"
)

// part is one piece of a content: exactly one of its members that hold data.
type part struct {
	Text             *string         `json:"text,omitempty"`
	Thought          bool            `json:"thought,omitempty"`
	ThoughtSignature string          `json:"thoughtSignature,omitempty"`
	InlineData       *blob           `json:"inlineData,omitempty"`
	FileData         *fileData       `json:"fileData,omitempty"`
	FunctionCall     *functionCall   `json:"functionCall,omitempty"`
	FunctionResponse *functionResult `json:"functionResponse,omitempty"`
	VideoMetadata    json.RawMessage `json:"videoMetadata,omitempty"`
	MediaResolution  json.RawMessage `json:"mediaResolution,omitempty"`
	// raw is a whole part that is written as it stands instead.
	raw json.RawMessage
}

// MarshalJSON implements [json.Marshaler].
func (p part) MarshalJSON() ([]byte, error) {
	if p.raw != nil {
		return p.raw, nil
	}
	type plain part
	return json.Marshal(plain(p))
}

// blob is data within the request.
type blob struct {
	MimeType    string `json:"mimeType,omitempty"`
	Data        string `json:"data"`
	DisplayName string `json:"displayName,omitempty"`
}

// fileData is data that the provider fetches.
type fileData struct {
	MimeType    string `json:"mimeType,omitempty"`
	FileURI     string `json:"fileUri"`
	DisplayName string `json:"displayName,omitempty"`
}

// functionCall is a call by the model.
type functionCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

// functionResult is the answer of a tool, a FunctionResponse.
type functionResult struct {
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
	Parts    []functionMedia `json:"parts,omitempty"`
}

// functionMedia is a part of a tool's answer that is not JSON.
type functionMedia struct {
	InlineData *blob     `json:"inlineData,omitempty"`
	FileData   *fileData `json:"fileData,omitempty"`
}

// function declares a tool of the client's.
type function struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Parameters is in Google's own dialect of schemas, ParametersJSONSchema in
	// JSON Schema; never both.
	Parameters           json.RawMessage `json:"parameters,omitempty"`
	ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema,omitempty"`
}

// toolConfig says which tools are called.
type toolConfig struct {
	FunctionCallingConfig callingConfig `json:"functionCallingConfig"`
}

// callingConfig is a FunctionCallingConfig.
type callingConfig struct {
	Mode                 string   `json:"mode,omitempty"`
	AllowedFunctionNames []string `json:"allowedFunctionNames,omitempty"`
}

// The modes of a callingConfig.
const (
	modeAuto      = "AUTO"
	modeAny       = "ANY"
	modeNone      = "NONE"
	modeValidated = "VALIDATED" // as AUTO, with arguments that adhere to their schema
)

// generation is a GenerationConfig.
type generation struct {
	CandidateCount     int64           `json:"candidateCount,omitempty"`
	StopSequences      []string        `json:"stopSequences,omitempty"`
	MaxOutputTokens    int64           `json:"maxOutputTokens,omitempty"`
	Temperature        json.Number     `json:"temperature,omitempty"`
	TopP               json.Number     `json:"topP,omitempty"`
	TopK               *int64          `json:"topK,omitempty"`
	Seed               *int64          `json:"seed,omitempty"`
	PresencePenalty    json.Number     `json:"presencePenalty,omitempty"`
	FrequencyPenalty   json.Number     `json:"frequencyPenalty,omitempty"`
	ResponseLogprobs   bool            `json:"responseLogprobs,omitempty"`
	Logprobs           int64           `json:"logprobs,omitempty"`
	ResponseMimeType   string          `json:"responseMimeType,omitempty"`
	ResponseSchema     json.RawMessage `json:"responseSchema,omitempty"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema,omitempty"`
	ThinkingConfig     *thinking       `json:"thinkingConfig,omitempty"`
}

// thinking is a ThinkingConfig: a budget in tokens, or a level for models from
// Gemini 3 on.
type thinking struct {
	IncludeThoughts *bool  `json:"includeThoughts,omitempty"`
	ThinkingBudget  *int64 `json:"thinkingBudget,omitempty"`
	ThinkingLevel   string `json:"thinkingLevel,omitempty"`
}
