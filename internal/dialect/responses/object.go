package responses

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// appendPart appends the part of a message or of a summary; probs are those of
// its tokens.
func appendPart(to []byte, kind form.PartKind, text, probs []byte) []byte {
	switch kind {
	case form.PartText:
		to = append(append(to, `{"type":"output_text","annotations":[],"logprobs":[`...), probs...)
		return append(jsonscan.AppendBytes(append(to, `],"text":`...), text), '}')
	case form.PartRefusal:
		return append(jsonscan.AppendBytes(append(to, `{"type":"refusal","refusal":`...), text), '}')
	}
	return append(jsonscan.AppendBytes(append(to, `{"type":"summary_text","text":`...), text), '}')
}

// appendItem appends the current item as it is now.
func (w *writer) appendItem(to []byte, status string) []byte {
	it := &w.item
	to = append(append(append(to, `{"id":"`...), it.id...), '"')
	switch it.kind {
	case form.PartText, form.PartRefusal:
		to = append(append(append(to, `,"type":"message","status":"`...), status...), `","role":"assistant","content":[`...)
		if status != "in_progress" {
			to = appendPart(to, it.kind, it.text, it.probs)
		}
		return append(to, "]}"...)
	case form.PartReasoning:
		return it.appendThought(to)
	case form.PartImage:
		to = append(append(append(to, `,"type":"image_generation_call","status":"`...), status...), `","result":`...)
		if status == "in_progress" {
			return append(to, "null}"...)
		}
		return append(jsonscan.AppendBytes(to, it.text), '}')
	}
	kind, text := "function_call", `,"arguments":`
	if it.call.Custom {
		kind, text = "custom_tool_call", `,"input":`
	}
	to = append(append(append(to, `,"type":"`...), kind...), `","status":"`...)
	to = append(append(to, status...), `","call_id":`...)
	to = w.appendName(jsonscan.AppendText(to, it.call.ID))
	return append(jsonscan.AppendBytes(append(to, text...), it.text), '}')
}

// appendThought appends the rest of an item of reasoning.
func (it *open) appendThought(to []byte) []byte {
	to = append(to, `,"type":"reasoning","summary":[`...)
	if len(it.text) > 0 {
		to = appendPart(to, it.kind, it.text, nil)
	}
	to = append(to, ']')
	if it.signature != "" {
		to = jsonscan.AppendText(append(to, `,"encrypted_content":`...), it.signature)
	}
	return append(to, '}')
}

// appendName appends the tool's name as the client knows it.
func (w *writer) appendName(to []byte) []byte {
	namespace, name := w.toolName()
	if namespace != "" {
		to = jsonscan.AppendText(append(to, `,"namespace":`...), namespace)
	}
	return jsonscan.AppendText(append(to, `,"name":`...), name)
}

// toolName is the name of the called tool in the client's own tools.
func (w *writer) toolName() (namespace, name string) {
	name = w.item.call.Name
	if w.front.read != nil {
		if g, ok := w.front.read.grouped[name]; ok {
			return g.namespace, g.name
		}
	}
	return "", name
}

// object appends the response as it is now.
func (w *writer) object(to []byte) []byte {
	to = jsonscan.AppendText(append(to, `{"id":`...), w.place.id)
	to = appendInt(append(to, `,"object":"response","created_at":`...), w.place.created)
	to = append(append(append(to, `,"status":"`...), w.status...), `","error":`...)
	if w.fault != nil {
		to = append(to, w.fault...)
	} else {
		to = append(to, "null"...)
	}
	to = append(to, `,"incomplete_details":`...)
	if w.reason != "" {
		to = append(append(append(to, `{"reason":"`...), w.reason...), `"}`...)
	} else {
		to = append(to, "null"...)
	}
	to = jsonscan.AppendText(append(to, `,"model":`...), w.info.Model)
	to = append(append(append(to, `,"output":[`...), w.kept...), ']')
	to = append(to, w.front.echoes()...)
	to = append(to, `,"usage":`...)
	if w.usage == nil {
		return append(to, "null}"...)
	}
	return append(appendUsage(to, w.usage), '}')
}

// appendUsage appends the sums of this API: its details are subsets.
func appendUsage(to []byte, u *sluice.Usage) []byte {
	written := u.CacheWrite5m + u.CacheWrite1h
	input := u.Input + u.CachedInput + written + u.AudioInput
	output := u.Output + u.Reasoning + u.AudioOutput + u.Image
	to = appendInt(append(to, `{"input_tokens":`...), input)
	to = appendInt(append(to, `,"input_tokens_details":{"cached_tokens":`...), u.CachedInput)
	to = appendInt(append(to, `,"cache_write_tokens":`...), written)
	to = appendInt(append(to, `},"output_tokens":`...), output)
	to = appendInt(append(to, `,"output_tokens_details":{"reasoning_tokens":`...), u.Reasoning)
	to = appendInt(append(to, `},"total_tokens":`...), input+output)
	return append(to, '}')
}
