package openai

import (
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// message is one element of messages with what a conversation is made of;
// members that mean nothing to another protocol are left out.
type message struct {
	node
	role, content, author, id   node
	calls, call, refusal, audio node
	thought, thoughts, details  node
	cache                       node
}

// take sorts one member.
func (w *message) take(m node) error {
	switch m.name {
	case "role":
		w.role = m
	case "content":
		w.content = m
	case "name":
		w.author = m
	case "tool_call_id":
		w.id = m
	case "tool_calls":
		w.calls = m
	case "function_call":
		w.call = m
	case "refusal":
		w.refusal = m
	case "audio":
		w.audio = m
	case "reasoning_content":
		w.thought = m
	case "reasoning":
		w.thoughts = m
	case "reasoning_details":
		w.details = m
	case "cache_control":
		w.cache = m
	}
	return nil
}

// member is one that was sorted, or where it should be.
func (w *message) member(sorted node, name string) node {
	if sorted.given() {
		return sorted
	}
	return w.find(name)
}

// message reads one turn.
func (r *chatReader) message(m node) error {
	if len(r.chat.Turns) == maxTurns {
		return m.bad("is more than the %d messages that are accepted", maxTurns)
	}
	w := message{node: m.located()}
	if err := w.members(w.take); err != nil {
		return err
	}
	role, err := w.member(w.role, "role").span()
	if err != nil {
		return err
	}
	turn := form.Turn{Field: w.at()}
	switch role {
	case "system", "developer":
		turn.Role = form.RoleSystem
		turn.Parts, err = w.instructions()
	case "user":
		turn.Role = form.RoleUser
		turn.Parts, err = r.userParts(&w)
	case "assistant":
		turn.Role = form.RoleAssistant
		turn.Parts, err = r.assistantParts(&w)
	case "tool", "function":
		turn.Role = form.RoleUser
		turn.Parts, err = r.result(&w, role == "function")
	default:
		return w.role.bad("must be system, developer, user, assistant, tool or function")
	}
	if err != nil {
		return err
	}
	if err := w.mark(turn.Parts); err != nil {
		return err
	}
	r.noteAuthor(&w, role)
	r.chat.Turns = append(r.chat.Turns, turn)
	return nil
}

// mark puts the cache mark of a message on its last part.
func (w *message) mark(parts []form.Part) error {
	cache, err := readCache(w.cache)
	if cache != form.CacheNone && len(parts) > 0 {
		parts[len(parts)-1].Cache = cache
	}
	return err
}

// noteAuthor remembers that authors were named, which no other protocol does.
func (r *chatReader) noteAuthor(w *message, role string) {
	const name = "messages.name"
	if !w.author.given() || role == "tool" || role == "function" {
		return
	}
	for _, x := range r.chat.Extras {
		if x.Name == name {
			return
		}
	}
	r.chat.Extras = append(r.chat.Extras, form.Extra{Name: name, Value: w.author.raw()})
}

// instructions reads the content of a system or developer message.
func (w *message) instructions() ([]form.Part, error) {
	parts, err := readContent(w.member(w.content, "content"))
	for i := range parts {
		if parts[i].Kind != form.PartText {
			return nil, w.member(w.content, "content").bad("must be text in a message of the system")
		}
	}
	return parts, err
}

// userParts reads what a user says.
func (r *chatReader) userParts(w *message) ([]form.Part, error) {
	if err := r.calls.done(); err != nil {
		return nil, err
	}
	return readContent(w.member(w.content, "content"))
}

// assistantParts reads what the model said: thoughts, text, calls.
func (r *chatReader) assistantParts(w *message) ([]form.Part, error) {
	if err := r.calls.done(); err != nil {
		return nil, err
	}
	if w.audio.given() {
		return nil, w.audio.bad("names a recording that is kept at another provider")
	}
	parts, err := w.reasoning()
	if err != nil {
		return nil, err
	}
	if w.content.given() {
		said, err := readContent(w.content)
		if err != nil {
			return nil, err
		}
		parts = append(parts, said...)
	}
	refusal, err := w.refusal.optional()
	if err != nil {
		return nil, err
	}
	if refusal != "" {
		parts = append(parts, form.Part{Kind: form.PartRefusal, Text: refusal, Field: w.refusal.at()})
	}
	calls, err := r.readCalls(w)
	if err != nil {
		return nil, err
	}
	if parts = append(parts, calls...); len(parts) == 0 && !w.content.given() {
		return nil, w.member(w.content, "content").bad("is required where there are no tool_calls")
	}
	return parts, nil
}

// readCalls reads tool_calls, or the older function_call.
func (r *chatReader) readCalls(w *message) (parts []form.Part, err error) {
	r.calls = callBook{}
	if w.call.given() {
		part, err := legacyCall(w.call, len(r.chat.Turns))
		if err != nil {
			return nil, err
		}
		r.calls.add(part.Call, w.call)
		return []form.Part{part}, nil
	}
	if !w.calls.given() {
		return nil, nil
	}
	err = w.calls.elements(func(e node) error {
		part, err := readCall(e)
		if err != nil {
			return err
		}
		r.calls.add(part.Call, e)
		parts = append(parts, part)
		return nil
	})
	return parts, err
}

// readCall reads one element of tool_calls.
func readCall(m node) (form.Part, error) {
	if err := m.object(); err != nil {
		return form.Part{}, err
	}
	kind, err := m.find("type").optional()
	if err != nil {
		return form.Part{}, err
	}
	body, input := m.find("function"), "arguments"
	if kind == "custom" {
		body, input = m.find("custom"), "input"
	}
	call, err := readFunction(body, input)
	if err != nil {
		return form.Part{}, err
	}
	call.Custom = kind == "custom"
	if call.ID, err = m.find("id").text(); err != nil {
		return form.Part{}, err
	}
	part := form.Part{Kind: form.PartCall, Call: &call, Field: m.at()}
	signature, err := m.find("extra_content").find("google").find("thought_signature").optional()
	part.Signature = form.ReadSignature(signature, form.OriginGemini)
	return part, err
}

// readFunction reads the name and the arguments of a call.
func readFunction(m node, input string) (call form.Call, err error) {
	if err = m.object(); err != nil {
		return call, err
	}
	if call.Name, err = m.find("name").text(); err != nil {
		return call, err
	}
	if call.Arguments, err = m.find(input).optional(); err != nil {
		return call, err
	}
	if call.Arguments == "" && input == "arguments" {
		call.Arguments = "{}"
	}
	return call, nil
}

// legacyCall reads function_call, which has no id; turn makes one.
func legacyCall(m node, turn int) (form.Part, error) {
	call, err := readFunction(m, "arguments")
	call.ID = "call_function_" + strconv.Itoa(turn)
	return form.Part{Kind: form.PartCall, Call: &call, Field: m.at()}, err
}

// result reads a message of the role tool, or of the older role function.
func (r *chatReader) result(w *message, legacy bool) ([]form.Part, error) {
	result := form.Result{}
	var err error
	if legacy {
		result, err = r.calls.answerNamed(w.member(w.author, "name"))
	} else {
		result, err = r.calls.answer(w.member(w.id, "tool_call_id"))
	}
	if err != nil {
		return nil, err
	}
	if result.Parts, err = readContent(w.member(w.content, "content")); err != nil {
		return nil, err
	}
	return []form.Part{{Kind: form.PartResult, Result: &result, Field: w.at()}}, nil
}
