package demo

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// answerer makes the answer to one request.
type answerer struct {
	*request
	settings settings
	created  int64
	chat     bool
}

// reply is one answer, cut into tokens.
type reply struct {
	tokens []string
	// tool is set when the tokens are the arguments of a call.
	tool   *tool
	finish string
}

// id names the answer: equal requests under equal seeds have equal ids.
func (a *answerer) id() string {
	h := fnv.New64a()
	text, role := a.last()
	fmt.Fprintf(h, "%d|%s|%s|%s|%d", a.settings.seed, a.Model, role, text, len(a.Messages))
	if a.chat {
		return fmt.Sprintf("chatcmpl-demo%016x", h.Sum64())
	}
	return fmt.Sprintf("cmpl-demo%016x", h.Sum64())
}

// openings are the ways an answer begins, chosen by the seed.
var openings = []string{
	"Hello from the Sluice demo provider.",
	"This is Sluice's built-in demo provider speaking.",
	"Greetings! You have reached the demo provider of Sluice.",
}

// filler lengthens answers to the length that was set.
var filler = strings.Fields("Water finds its level, gates decide its way, and every drop that passes is counted once, downstream as upstream.")

// reply makes the n-th of the answers that were asked for.
func (a *answerer) reply(n int) reply {
	r := reply{finish: "stop"}
	if r.tool = a.called(); r.tool != nil && a.chat {
		r.finish = "tool_calls"
		r.tokens = cut(string(encode(example(r.tool.Function.Parameters, a.words()))))
	} else {
		r.tool = nil
		r.tokens = a.lengthen(cut(a.text(n)))
	}
	if most := a.limit(); most >= 0 && int64(len(r.tokens)) > most {
		// A call that is cut off has no valid arguments; the reason says so.
		r.tokens, r.finish = r.tokens[:most], "length"
	}
	return r
}

// words is the source of strings in made-up arguments.
func (a *answerer) words() string {
	text, _ := a.last()
	return clip(text, 60)
}

// text is what the demo provider has to say.
func (a *answerer) text(n int) string {
	said, role := a.last()
	switch format := a.ResponseFormat; {
	case format.Type == "json_schema":
		return string(encode(example(format.Schema.Schema, a.words())))
	case format.Type == "json_object":
		return string(encode(map[string]any{"answer": "demo", "question": clip(said, 200)}))
	case role == "tool":
		return fmt.Sprintf("The tool answered: %s", clip(said, 500))
	case a.Suffix != "":
		return " /* between " + clip(said, 40) + " and " + clip(a.Suffix, 40) + " */ "
	}
	opening := openings[uint64(a.settings.seed+int64(n))%uint64(len(openings))]
	if said == "" {
		return opening + " You said nothing, so there is nothing to answer."
	}
	return fmt.Sprintf("%s You said: %q. This answer went through the whole gateway but never left its process; "+
		"add a provider of another type to talk to a real model.", opening, clip(said, 500))
}

// lengthen repeats the filler, or cuts, to the length that was set.
func (a *answerer) lengthen(tokens []string) []string {
	want := int(a.settings.tokens)
	if want == 0 {
		return tokens
	}
	for i := 0; len(tokens) < want; i++ {
		tokens = append(tokens, " "+filler[i%len(filler)])
	}
	return tokens[:want]
}

// cut divides text into tokens: words with the space before them, long ones in
// pieces, never within a character.
func cut(text string) []string {
	const longest = 12
	var tokens []string
	for start := 0; start < len(text); {
		end := start
		for end < len(text) && (end == start || text[end] != ' ') && end-start < longest {
			_, size := utf8.DecodeRuneInString(text[end:])
			end += size
		}
		tokens = append(tokens, text[start:end])
		start = end
	}
	return tokens
}

// clip shortens an echo to at most n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// usage is the usage object of the answer.
func (a *answerer) usage(output int64) map[string]any {
	input := a.inputTokens()
	return map[string]any{
		"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
		"prompt_tokens_details":     map[string]any{"cached_tokens": 0, "audio_tokens": 0},
		"completion_tokens_details": map[string]any{"reasoning_tokens": 0, "audio_tokens": 0},
	}
}

// object is the answer without its choices.
func (a *answerer) object(streamed bool) map[string]any {
	kind := "text_completion"
	switch {
	case a.chat && streamed:
		kind = "chat.completion.chunk"
	case a.chat:
		kind = "chat.completion"
	}
	return map[string]any{"id": a.id(), "object": kind, "created": a.created, "model": a.Model, "system_fingerprint": "fp_demo"}
}

// toolCall is a call as a whole answer shows it, without an index.
func (a *answerer) toolCall(t *tool, choice int, arguments string) map[string]any {
	return map[string]any{
		"id": fmt.Sprintf("call_%s_%d", a.id()[len(a.id())-12:], choice), "type": "function",
		"function": map[string]any{"name": t.Function.Name, "arguments": arguments},
	}
}

// whole is the answer as one document. It comes in as many pieces as it has
// tokens, all but the last empty, so that it takes as long as a stream.
func (a *answerer) whole() func(int) ([]byte, bool) {
	var choices []any
	output := int64(0)
	for i := range a.N {
		r := a.reply(i)
		output += int64(len(r.tokens))
		choices = append(choices, a.wholeChoice(i, r))
	}
	object := a.object(false)
	object["choices"], object["usage"] = choices, a.usage(output)
	body := encode(object)
	last := max(1, int(output)) - 1
	return func(i int) ([]byte, bool) {
		if i == last {
			return body, true
		}
		return nil, i < last
	}
}

func (a *answerer) wholeChoice(i int, r reply) map[string]any {
	text := strings.Join(r.tokens, "")
	choice := map[string]any{"index": i, "finish_reason": r.finish, "logprobs": nil}
	switch {
	case !a.chat:
		choice["text"] = text
	case r.tool != nil:
		choice["message"] = map[string]any{"role": "assistant", "content": nil, "refusal": nil,
			"tool_calls": []any{a.toolCall(r.tool, i, text)}}
	default:
		choice["message"] = map[string]any{"role": "assistant", "content": text, "refusal": nil}
	}
	return choice
}

// stream is the answer as events, made one at a time.
func (a *answerer) stream() func(int) ([]byte, bool) {
	replies := make([]reply, a.N)
	output := int64(0)
	for i := range replies {
		replies[i] = a.reply(i)
		output += int64(len(replies[i].tokens))
	}
	choice, step, tail := 0, 0, 0
	return func(int) ([]byte, bool) {
		if choice < len(replies) {
			event, last := a.chunk(choice, step, replies[choice])
			step++
			if last {
				choice, step = choice+1, 0
			}
			return event, true
		}
		if tail++; tail == 1 && a.StreamOptions.IncludeUsage {
			object := a.object(true)
			object["choices"], object["usage"] = []any{}, a.usage(output)
			return event(encode(object)), true
		} else if tail == 1 {
			tail++
		}
		return []byte("data: [DONE]\n\n"), tail == 2
	}
}

func event(data []byte) []byte { return append(append([]byte("data: "), data...), "\n\n"...) }

// chunk is one event of one choice: the role (and a call's name), a token, or
// the end.
func (a *answerer) chunk(choice, step int, r reply) (data []byte, last bool) {
	part := map[string]any{"index": choice, "finish_reason": nil, "logprobs": nil}
	delta := map[string]any{}
	switch last = step == len(r.tokens)+1; {
	case last:
		part["finish_reason"] = r.finish
	case step == 0:
		delta["role"], delta["content"] = "assistant", ""
		if r.tool != nil {
			call := a.toolCall(r.tool, choice, "")
			call["index"] = 0
			delta["content"], delta["tool_calls"] = nil, []any{call}
		}
	case r.tool != nil:
		delta["tool_calls"] = []any{map[string]any{"index": 0, "function": map[string]any{"arguments": r.tokens[step-1]}}}
	default:
		delta["content"] = r.tokens[step-1]
	}
	if a.chat {
		part["delta"] = delta
	} else {
		part["text"], _ = delta["content"].(string)
	}
	object := a.object(true)
	object["choices"] = []any{part}
	if a.StreamOptions.IncludeUsage {
		object["usage"] = json.RawMessage("null")
	}
	return event(encode(object)), last
}
