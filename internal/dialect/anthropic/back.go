package anthropic

import (
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// defaultTokens is max_tokens where neither the client nor the catalogue says
// anything; the API insists on the member.
const defaultTokens = 4096

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
	e.out = request{model: t.Model, stream: c.Stream}
	if err := e.run(e.input, e.limits, e.reasoning, e.format, e.sampling, e.rest); err != nil {
		return form.Encoded{}, err
	}
	return form.Encoded{Path: pathMessages, Body: e.out.encode(e.target.Room)}, nil
}

// EncodeCount implements [form.Counter] with what counts of a request.
func (p *plan) EncodeCount(c *form.Chat, t *form.Target) (form.Encoded, error) {
	e := encoder{chat: c, target: t, version: versionOf(t.Model)}
	e.out = request{model: t.Model}
	if err := e.run(e.input); err != nil {
		return form.Encoded{}, err
	}
	return form.Encoded{Path: pathCount, Body: e.out.encode(e.target.Room)}, nil
}

// DecodeCount implements [form.Counter].
func (p *plan) DecodeCount(doc []byte) (int64, error) {
	n, ok := jsonscan.Int(doc, jsonscan.Find(doc, jsonscan.At(doc, 0), "input_tokens"))
	if !ok || n < 0 {
		return 0, peer.Broken("it holds no number of tokens")
	}
	return n, nil
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
	e.out.maxTokens = e.chat.MaxTokens
	if e.out.maxTokens == 0 {
		e.out.maxTokens = e.target.MaxOutput()
	}
	if e.out.maxTokens == 0 {
		e.out.maxTokens = defaultTokens
	}
	for _, s := range e.chat.Stop {
		if strings.TrimSpace(s) == "" { // which the API refuses
			if err := e.target.Drop("stop", ""); err != nil {
				return err
			}
			continue
		}
		e.out.stopSequences = append(e.out.stopSequences, s)
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
		e.out.userID = user
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
		e.out.serviceTier = "auto"
	case `"default"`, `"standard_only"`:
		e.out.serviceTier = "standard_only"
	default:
		return false
	}
	return true
}
