package anthropic

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// request is the body of a call, in the API's own order. It is written by hand:
// encoding/json would cost more than everything else that a translation does.
type request struct {
	model         string
	maxTokens     int64
	system        []block
	messages      []message
	tools         []tool
	toolChoice    *toolChoice
	thinking      *thinking
	effort        string
	schema        json.RawMessage // of the answer
	temperature   json.Number
	topP          json.Number
	topK          *int64
	stopSequences []string
	userID        string
	serviceTier   string
	stream        bool
}

type message struct {
	role    form.Role
	content []block
}

// tool is the declaration of a tool.
type tool struct {
	name, description string
	schema            json.RawMessage
	strict            bool
	cache             form.Cache
}

type toolChoice struct {
	kind, name string
	// serial forbids several calls at once.
	serial bool
}

// thinking says whether and how the model thinks.
type thinking struct {
	kind    string
	budget  int64
	display string
}

// bodyOverhead is more than what most bodies take besides their lists.
const bodyOverhead = 256

// encode writes the body, in room where that is long enough.
func (r *request) encode(room []byte) []byte {
	size := bodyOverhead + sizeOf(r.system)
	for i := range r.messages {
		size += bodyOverhead/4 + sizeOf(r.messages[i].content)
	}
	for i := range r.tools {
		size += blockOverhead + len(r.tools[i].description) + len(r.tools[i].schema)
	}
	to := append(slices.Grow(room[:0], size), '{')
	to = jsonscan.AppendText(addMember(to, "model"), r.model)
	to = appendCount(to, "max_tokens", r.maxTokens)
	if len(r.system) > 0 {
		to = appendBlocks(addMember(to, "system"), r.system)
	}
	to = r.appendMessages(addMember(to, "messages"))
	to = r.appendTools(to)
	to = r.appendThinking(to)
	to = r.appendSampling(to)
	if r.userID != "" {
		to = append(jsonscan.AppendText(append(addMember(to, "metadata"), `{"user_id":`...), r.userID), '}')
	}
	to = appendWord(to, "service_tier", r.serviceTier)
	if r.stream {
		to = append(addMember(to, "stream"), "true"...)
	}
	return append(to, '}')
}

func (r *request) appendMessages(to []byte) []byte {
	to = append(to, '[')
	for i := range r.messages {
		m := &r.messages[i]
		if i > 0 {
			to = append(to, ',')
		}
		to = jsonscan.AppendText(append(to, `{"role":`...), string(m.role))
		to = append(appendBlocks(addMember(to, "content"), m.content), '}')
	}
	return append(to, ']')
}

func (r *request) appendTools(to []byte) []byte {
	if len(r.tools) > 0 {
		to = append(addMember(to, "tools"), '[')
		for i := range r.tools {
			if i > 0 {
				to = append(to, ',')
			}
			to = r.tools[i].append(to)
		}
		to = append(to, ']')
	}
	if c := r.toolChoice; c != nil {
		to = jsonscan.AppendText(append(addMember(to, "tool_choice"), `{"type":`...), c.kind)
		to = appendWord(to, "name", c.name)
		if c.serial {
			to = append(addMember(to, "disable_parallel_tool_use"), "true"...)
		}
		to = append(to, '}')
	}
	return to
}

func (t *tool) append(to []byte) []byte {
	to = appendMark(append(to, '{'), t.cache)
	to = appendWord(to, "description", t.description)
	to = append(addMember(to, "input_schema"), t.schema...)
	to = jsonscan.AppendText(addMember(to, "name"), t.name)
	if t.strict {
		to = append(addMember(to, "strict"), "true"...)
	}
	return append(to, '}')
}

func (r *request) appendThinking(to []byte) []byte {
	if t := r.thinking; t != nil {
		to = jsonscan.AppendText(append(addMember(to, "thinking"), `{"type":`...), t.kind)
		to = appendCount(to, "budget_tokens", t.budget)
		to = append(appendWord(to, "display", t.display), '}')
	}
	if r.effort == "" && r.schema == nil {
		return to
	}
	to = appendWord(append(addMember(to, "output_config"), '{'), "effort", r.effort)
	if r.schema != nil {
		to = append(addMember(to, "format"), `{"type":"json_schema","schema":`...)
		to = append(append(to, r.schema...), '}')
	}
	return append(to, '}')
}

func (r *request) appendSampling(to []byte) []byte {
	if r.temperature != "" {
		to = append(addMember(to, "temperature"), r.temperature...)
	}
	if r.topP != "" {
		to = append(addMember(to, "top_p"), r.topP...)
	}
	if r.topK != nil {
		to = strconv.AppendInt(addMember(to, "top_k"), *r.topK, 10)
	}
	if len(r.stopSequences) == 0 {
		return to
	}
	to = append(addMember(to, "stop_sequences"), '[')
	for i, s := range r.stopSequences {
		if i > 0 {
			to = append(to, ',')
		}
		to = jsonscan.AppendText(to, s)
	}
	return append(to, ']')
}

// appendWord writes a member unless it is "".
func appendWord(to []byte, name, value string) []byte {
	if value == "" {
		return to
	}
	return jsonscan.AppendText(addMember(to, name), value)
}

// appendCount writes a member unless it is 0.
func appendCount(to []byte, name string, n int64) []byte {
	if n == 0 {
		return to
	}
	return strconv.AppendInt(addMember(to, name), n, 10)
}
