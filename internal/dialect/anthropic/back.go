package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// defaultTokens is max_tokens where neither the client nor the catalogue says
// anything; the API insists on the member.
const defaultTokens = 4096

// request is the body of a call, in the API's own order.
type request struct {
	Model         string          `json:"model"`
	MaxTokens     int64           `json:"max_tokens,omitempty"`
	System        []block         `json:"system,omitempty"`
	Messages      []message       `json:"messages"`
	Tools         []block         `json:"tools,omitempty"`
	ToolChoice    *toolChoice     `json:"tool_choice,omitempty"`
	Thinking      *thinking       `json:"thinking,omitempty"`
	OutputConfig  *outputConfig   `json:"output_config,omitempty"`
	Temperature   json.RawMessage `json:"temperature,omitempty"`
	TopP          json.RawMessage `json:"top_p,omitempty"`
	TopK          *int64          `json:"top_k,omitempty"`
	StopSequences []string        `json:"stop_sequences,omitempty"`
	Metadata      *metadata       `json:"metadata,omitempty"`
	ServiceTier   string          `json:"service_tier,omitempty"`
	Stream        bool            `json:"stream,omitempty"`
}

type message struct {
	Role    form.Role `json:"role"`
	Content []block   `json:"content"`
}

type metadata struct {
	UserID string `json:"user_id"`
}

// encoder writes one request.
type encoder struct {
	chat    *form.Chat
	target  *form.Target
	version version
	out     request
	// ids are the calls' ids where they had to change, by the client's.
	ids map[string]string
}

// EncodeChat implements [form.Back].
func (p *plan) EncodeChat(c *form.Chat, t *form.Target) (form.Encoded, error) {
	e := encoder{chat: c, target: t, version: versionOf(t.Model)}
	e.out = request{Model: t.Model, Stream: c.Stream}
	if err := e.run(e.input, e.limits, e.reasoning, e.format, e.sampling, e.rest); err != nil {
		return form.Encoded{}, err
	}
	return form.Encoded{Path: pathMessages, Body: marshal(&e.out)}, nil
}

// EncodeCount implements [form.Counter] with what counts of a request.
func (p *plan) EncodeCount(c *form.Chat, t *form.Target) (form.Encoded, error) {
	e := encoder{chat: c, target: t, version: versionOf(t.Model)}
	e.out = request{Model: t.Model}
	if err := e.run(e.input); err != nil {
		return form.Encoded{}, err
	}
	return form.Encoded{Path: pathCount, Body: marshal(&e.out)}, nil
}

// DecodeCount implements [form.Counter].
func (p *plan) DecodeCount(doc []byte) (int64, error) {
	n, ok := jsonscan.Int(doc, jsonscan.Find(doc, jsonscan.At(doc, 0), "input_tokens"))
	if !ok || n < 0 {
		return 0, peer.Broken("it holds no number of tokens")
	}
	return n, nil
}

// marshal writes a body without the escapes that are for HTML.
func marshal(r *request) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		panic("anthropic: encoding an own type: " + err.Error())
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

func (e *encoder) run(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// input writes what is read by the model: tools, instructions, turns.
func (e *encoder) input() error {
	return e.run(e.tools, e.toolChoice, e.conversation, e.marks)
}

// limits writes what bounds the answer.
func (e *encoder) limits() error {
	e.out.MaxTokens = e.chat.MaxTokens
	if e.out.MaxTokens == 0 {
		e.out.MaxTokens = e.target.MaxOutput()
	}
	if e.out.MaxTokens == 0 {
		e.out.MaxTokens = defaultTokens
	}
	for _, s := range e.chat.Stop {
		if strings.TrimSpace(s) == "" { // which the API refuses
			if err := e.target.Drop("stop", ""); err != nil {
				return err
			}
			continue
		}
		e.out.StopSequences = append(e.out.StopSequences, s)
	}
	return nil
}

// longestUser is the longest name of an end user that the API takes.
const longestUser = 256

// rest writes who asked, and drops what has no place here.
func (e *encoder) rest() error {
	if user := e.chat.User; len(user) > longestUser {
		if err := e.target.Drop("user", ""); err != nil {
			return err
		}
	} else if user != "" {
		e.out.Metadata = &metadata{UserID: user}
	}
	return e.target.DropExtras(e.chat.Extras, e.serviceTier)
}

// serviceTier takes the tiers that both sides know.
func (e *encoder) serviceTier(x form.Extra) bool {
	if x.Name != "service_tier" {
		return false
	}
	switch string(x.Value) {
	case `"auto"`:
		e.out.ServiceTier = "auto"
	case `"default"`, `"standard_only"`:
		e.out.ServiceTier = "standard_only"
	default:
		return false
	}
	return true
}

// block is one content block. It is a map because blocks share nothing but a
// type, and encoding/json writes maps in a fixed order.
type block map[string]any

// mark sets a cache mark.
func (b block) mark(c form.Cache) block {
	switch c {
	case form.Cache5m:
		b["cache_control"] = map[string]string{"type": "ephemeral"}
	case form.Cache1h:
		b["cache_control"] = map[string]string{"type": "ephemeral", "ttl": "1h"}
	}
	return b
}
