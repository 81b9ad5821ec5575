package gemini

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/native"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// request is what the provider is sent in place of the client's request: the
// same body, with the provider's name of the model where the body names it.
func (r *reading) request(model string) native.Request {
	path := modelPath(model) + ":" + r.verb
	if r.ask.Stream {
		path += "?alt=sse"
	}
	edits := make([]native.Edit, 0, len(r.models))
	for _, v := range r.models {
		edits = append(edits, native.Edit{Start: v.Start, End: v.End, Text: mustJSON(modelName(model))})
	}
	return native.Request{Path: path, Body: native.Splice(r.ask.Body, edits...), Array: r.array}
}

// arrayLeg is a leg whose answer is an array; it notes when that has begun.
type arrayLeg struct {
	dialect.Leg
	asked *reading
}

// Feed implements [dialect.Leg].
func (l *arrayLeg) Feed(b []byte) ([]byte, error) { return l.note(l.Leg.Feed(b)) }

// Finish implements [dialect.Leg].
func (l *arrayLeg) Finish() ([]byte, error) { return l.note(l.Leg.Finish()) }

// Complete implements [dialect.Completer].
func (l *arrayLeg) Complete() bool { return dialect.Complete(l.Leg) }

func (l *arrayLeg) note(b []byte, err error) ([]byte, error) {
	l.asked.begun = l.asked.begun || len(b) > 0
	return b, err
}

// answers knows the answers to one operation.
type answers struct{ operation string }

var _ native.Protocol = answers{}

// seen is what is looked at of an answer.
type seen struct {
	Candidates []struct {
		Content struct {
			Parts []struct {
				Text         string          `json:"text"`
				FunctionCall json.RawMessage `json:"functionCall"`
				InlineData   json.RawMessage `json:"inlineData"`
			} `json:"parts"`
		} `json:"content"`
		FinishReason string `json:"finishReason"`
	} `json:"candidates"`
	PromptFeedback promptFeedback  `json:"promptFeedback"`
	UsageMetadata  json.RawMessage `json:"usageMetadata"`
}

// Event implements [native.Protocol].
func (answers) Event(_, data []byte, r *native.Reading) (native.Class, error) {
	var s seen
	if err := json.Unmarshal(data, &s); err != nil {
		return 0, peer.Broken("it holds an event that is not what the API answers")
	}
	if u, ok := readUsage(s.UsageMetadata); ok {
		r.Usage, r.Stated = u, true
	}
	class := native.Lifecycle
	if s.PromptFeedback.BlockReason != "" {
		class = native.Last
	}
	for i := range s.Candidates {
		c := &s.Candidates[i]
		for j := range c.Content.Parts {
			p := &c.Content.Parts[j]
			r.Text += int64(len(p.Text) + len(p.FunctionCall))
			if class == native.Lifecycle && (p.Text != "" || p.FunctionCall != nil || p.InlineData != nil) {
				class = native.Content
			}
		}
		if c.FinishReason != "" {
			class = native.Last
		}
	}
	return class, nil
}

// Document implements [native.Protocol].
func (a answers) Document(doc []byte, r *native.Reading) error {
	var holds []string
	switch a.operation {
	case dialect.OpCount:
		holds = []string{"totalTokens"}
	case dialect.OpEmbeddings:
		holds = []string{"embedding", "embeddings"}
	default:
		holds = []string{"candidates", "promptFeedback"}
	}
	found := false
	members := jsonscan.Document(doc)
	for members.Next() {
		name := string(members.Key())
		for _, h := range holds {
			found = found || name == h
		}
		if u, ok := readUsage(members.Value().In(doc)); ok && name == "usageMetadata" && a.operation != dialect.OpCount {
			r.Usage, r.Stated = u, true
		}
	}
	if members.Err() != nil {
		return peer.Broken(members.Err().Error())
	}
	r.Stated = r.Stated || a.operation == dialect.OpCount // counting uses nothing
	if !found {
		return peer.Broken("it holds no " + strings.Join(holds, " and no "))
	}
	return nil
}
