package responses

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// Paths of the API below a base URL.
const (
	Path      = "/responses"
	CountPath = "/responses/input_tokens"
)

// leastOutput is the smallest max_output_tokens that OpenAI accepts; less is
// raised to it.
const leastOutput = 16

// Back writes conversations of other protocols as requests to this one, and
// reads the answers. The zero value is ready and safe for concurrent use.
type Back struct{}

var (
	_ form.Back    = Back{}
	_ form.Counter = Back{}
)

// request is what is sent.
type request struct {
	Model        string         `json:"model"`
	Instructions string         `json:"instructions,omitempty"`
	Input        []any          `json:"input"`
	Tools        []any          `json:"tools,omitempty"`
	ToolChoice   any            `json:"tool_choice,omitempty"`
	Parallel     *bool          `json:"parallel_tool_calls,omitempty"`
	Reasoning    *wireReasoning `json:"reasoning,omitempty"`
	Text         *wireText      `json:"text,omitempty"`
	Store        *bool          `json:"store,omitempty"`
	Stream       bool           `json:"stream,omitempty"`
	Include      []string       `json:"include,omitempty"`
	MaxOutput    int64          `json:"max_output_tokens,omitempty"`
	Temperature  json.Number    `json:"temperature,omitempty"`
	TopP         json.Number    `json:"top_p,omitempty"`
	TopLogprobs  int64          `json:"top_logprobs,omitempty"`
	SafetyID     string         `json:"safety_identifier,omitempty"`

	ServiceTier    json.RawMessage `json:"service_tier,omitempty"`
	Metadata       json.RawMessage `json:"metadata,omitempty"`
	CacheKey       json.RawMessage `json:"prompt_cache_key,omitempty"`
	CacheRetention json.RawMessage `json:"prompt_cache_retention,omitempty"`
	MaxToolCalls   json.RawMessage `json:"max_tool_calls,omitempty"`
	Truncation     json.RawMessage `json:"truncation,omitempty"`
}

type wireReasoning struct {
	Effort  string `json:"effort,omitempty"`
	Summary string `json:"summary,omitempty"`
}

type wireText struct {
	Format    *wireFormat     `json:"format,omitempty"`
	Verbosity json.RawMessage `json:"verbosity,omitempty"`
}

// encoder writes one request.
type encoder struct {
	chat   *form.Chat
	target *form.Target
	to     request
	// custom are the calls of custom tools, whose outputs are of another kind.
	custom map[string]bool
	// marked tells that a cache mark was met.
	marked string
	// sealed tells that reasoning of this API is among the turns.
	sealed bool
}

// EncodeChat implements [form.Back].
func (Back) EncodeChat(c *form.Chat, t *form.Target) (form.Encoded, error) {
	e := encoder{chat: c, target: t}
	if err := e.conversation(); err != nil {
		return form.Encoded{}, err
	}
	if err := e.settings(); err != nil {
		return form.Encoded{}, err
	}
	stored := false
	e.to.Store, e.to.Stream = &stored, c.Stream
	return form.Encoded{Path: Path, Body: mustJSON(e.to)}, nil
}

// EncodeCount implements [form.Counter]: what does not change the input is left
// out.
func (Back) EncodeCount(c *form.Chat, t *form.Target) (form.Encoded, error) {
	e := encoder{chat: c, target: t}
	if err := e.conversation(); err != nil {
		return form.Encoded{}, err
	}
	return form.Encoded{Path: CountPath, Body: mustJSON(e.to)}, nil
}

// DecodeCount implements [form.Counter].
func (Back) DecodeCount(doc []byte) (int64, error) {
	var count struct {
		Tokens *int64 `json:"input_tokens"`
	}
	if json.Unmarshal(doc, &count) != nil || count.Tokens == nil || *count.Tokens < 0 {
		return 0, broken("it holds no number of tokens")
	}
	return *count.Tokens, nil
}

// conversation writes what the model reads: turns, tools, format, reasoning.
func (e *encoder) conversation() error {
	e.to.Model, e.to.Input, e.to.Parallel = e.target.Model, []any{}, e.chat.Parallel
	for _, step := range [...]func() error{e.tools, e.turns, e.choice, e.format, e.reasoning} {
		if err := step(); err != nil {
			return err
		}
	}
	if len(e.to.Tools) == 0 {
		e.to.ToolChoice, e.to.Parallel = nil, nil
	}
	if e.marked != "" {
		return e.target.Drop("cache_control", e.marked)
	}
	return nil
}

// settings writes what concerns the answer.
func (e *encoder) settings() error {
	if e.chat.MaxTokens > 0 {
		e.to.MaxOutput = max(e.chat.MaxTokens, leastOutput)
	}
	if e.sealed || e.chat.Reasoning.Stated() && !e.chat.Reasoning.Off() {
		// Without it nothing of the reasoning could be sent back.
		e.to.Include = []string{"reasoning.encrypted_content"}
	}
	if err := e.sampling(); err != nil {
		return err
	}
	if err := e.user(); err != nil {
		return err
	}
	return e.target.DropExtras(e.chat.Extras, e.extra)
}

// sampling writes temperature, top_p and the wish for probabilities; the API has
// nothing else, and models that reason refuse even these.
func (e *encoder) sampling() error {
	s := &e.chat.Sampling
	reasons := e.chat.Reasoning.Stated() && !e.chat.Reasoning.Off()
	if s.N > 1 {
		return form.Refuse("/n", "the provider of this model gives one answer at a time")
	}
	for _, p := range [...]struct {
		name string
		lost bool
	}{
		{"temperature", reasons && s.Temperature != "" && s.Temperature != "1"},
		{"top_p", reasons && s.TopP != "" && s.TopP != "1"},
		{"frequency_penalty", s.FrequencyPenalty != ""},
		{"presence_penalty", s.PresencePenalty != ""},
		{"top_k", s.TopK != nil},
		{"seed", s.Seed != nil},
		{"logprobs", reasons && s.Logprobs},
		{"top_logprobs", (reasons || !s.Logprobs) && s.TopLogprobs > 0},
		{"stop", len(e.chat.Stop) > 0},
	} {
		if !p.lost {
			continue
		}
		if err := e.target.Drop(p.name, ""); err != nil {
			return err
		}
	}
	if reasons {
		return nil
	}
	e.to.Temperature, e.to.TopP = s.Temperature, s.TopP
	if s.Logprobs {
		e.to.Include = append(e.to.Include, "message.output_text.logprobs")
		e.to.TopLogprobs = s.TopLogprobs
	}
	return nil
}

// longestUser is the longest name of an end user that OpenAI accepts.
const longestUser = 64

func (e *encoder) user() error {
	if len(e.chat.User) > longestUser {
		return e.target.Drop("user", "")
	}
	e.to.SafetyID = e.chat.User
	return nil
}

// tiers are the service tiers of this API; other protocols have others under
// the same name.
var tiers = []string{`"auto"`, `"default"`, `"flex"`, `"scale"`, `"priority"`}

// extra takes a member of the client's body that this API has as well.
func (e *encoder) extra(x form.Extra) bool {
	switch x.Name {
	case "verbosity", "text.verbosity":
		e.text().Verbosity = x.Value
	case "service_tier":
		if !slices.Contains(tiers, string(x.Value)) {
			return false
		}
		e.to.ServiceTier = x.Value
	case "metadata":
		var pairs map[string]string
		if json.Unmarshal(x.Value, &pairs) != nil {
			return false
		}
		e.to.Metadata = x.Value
	case "prompt_cache_key":
		e.to.CacheKey = x.Value
	case "prompt_cache_retention":
		e.to.CacheRetention = x.Value
	case "max_tool_calls":
		e.to.MaxToolCalls = x.Value
	case "truncation":
		e.to.Truncation = x.Value
	default:
		return false
	}
	return true
}

func (e *encoder) text() *wireText {
	if e.to.Text == nil {
		e.to.Text = &wireText{}
	}
	return e.to.Text
}

// format writes the shape that the answer must have.
func (e *encoder) format() error {
	f := &e.chat.Format
	switch f.Kind {
	case form.FormatJSON:
		e.text().Format = &wireFormat{Type: "json_object"}
	case form.FormatSchema:
		name := f.Name
		if name == "" {
			name = "answer"
		}
		e.text().Format = &wireFormat{Type: "json_schema", Name: name, Description: f.Description, Schema: f.Schema, Strict: f.Strict}
	}
	return nil
}

// reasoning writes effort and summary. A budget becomes the effort next to it;
// that it is off is said in OpenAI's own word only, because models that do not
// reason refuse the member.
func (e *encoder) reasoning() error {
	r := &e.chat.Reasoning
	w := wireReasoning{Effort: r.Effort}
	if w.Effort == "" && r.Budget != nil {
		w.Effort = effortOf(*r.Budget)
	}
	// Who gives a budget expects to see thoughts, unless they say otherwise.
	shown := r.Shown == nil && r.Budget != nil || r.Shown != nil && *r.Shown
	if shown && !r.Off() {
		w.Summary = "auto"
	}
	if w != (wireReasoning{}) {
		e.to.Reasoning = &w
	}
	return nil
}

// effortOf is the effort that stands for a budget of tokens, "" for none.
func effortOf(budget int64) string {
	switch {
	case budget <= 0:
		return ""
	case budget <= 2048:
		return "low"
	case budget <= 8192:
		return "medium"
	}
	return "high"
}

// broken says why an answer of the provider cannot be used.
func broken(why string) error {
	return sluice.Errorf(sluice.CodeProviderError, "the provider's answer cannot be used: %s", why)
}

// joinText adds text to instructions.
func joinText(before, text string) string {
	if before == "" || text == "" {
		return before + text
	}
	return strings.TrimRight(before, "\n") + "\n\n" + text
}
