package responses

import (
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

func appendInt(to []byte, n int64) []byte { return strconv.AppendInt(to, n, 10) }

// itemEvent appends the beginning of an event of the current item.
func (w *writer) itemEvent(to []byte, name string) []byte {
	return appendInt(append(w.event(to, name), `,"output_index":`...), int64(w.count-1))
}

// within appends the beginning of an event within the current item.
func (w *writer) within(to []byte, name, index string) []byte {
	to = append(append(w.itemEvent(to, name), `,"item_id":"`...), w.item.id...)
	to = append(to, '"')
	if index != "" {
		to = append(append(append(to, `,"`...), index...), `":0`...)
	}
	return to
}

// partAdded announces the only part of an item.
func (w *writer) partAdded(to []byte) []byte {
	switch w.item.kind {
	case form.PartText, form.PartRefusal:
		to = w.within(to, "response.content_part.added", "content_index")
	case form.PartReasoning:
		to = w.within(to, "response.reasoning_summary_part.added", "summary_index")
	default:
		return to
	}
	return append(appendPart(append(to, `,"part":`...), w.item.kind, nil, nil), "}\n\n"...)
}

// piece tells a piece of the text, with the probabilities of its tokens.
func (w *writer) piece(to []byte, text string, probs []byte) []byte {
	switch w.item.kind {
	case form.PartText:
		to = jsonscan.AppendText(append(w.within(to, "response.output_text.delta", "content_index"), `,"delta":`...), text)
		return append(append(append(to, `,"logprobs":[`...), probs...), "]}\n\n"...)
	case form.PartRefusal:
		to = w.within(to, "response.refusal.delta", "content_index")
	case form.PartReasoning:
		to = w.within(to, "response.reasoning_summary_text.delta", "summary_index")
	case form.PartCall:
		name := "response.function_call_arguments.delta"
		if w.item.call.Custom {
			name = "response.custom_tool_call_input.delta"
		}
		to = w.within(to, name, "")
	default:
		return to
	}
	return append(jsonscan.AppendText(append(to, `,"delta":`...), text), "}\n\n"...)
}

// partDone tells the whole text of an item and the end of its part.
func (w *writer) partDone(to []byte) []byte {
	it := &w.item
	switch it.kind {
	case form.PartText:
		to = w.done(to, "response.output_text.done", "content_index", "text", `,"logprobs":[`+string(it.probs)+`]`)
		to = w.within(to, "response.content_part.done", "content_index")
	case form.PartRefusal:
		to = w.done(to, "response.refusal.done", "content_index", "refusal", "")
		to = w.within(to, "response.content_part.done", "content_index")
	case form.PartReasoning:
		if !it.told {
			return to
		}
		to = w.done(to, "response.reasoning_summary_text.done", "summary_index", "text", "")
		to = w.within(to, "response.reasoning_summary_part.done", "summary_index")
	case form.PartCall:
		if it.call.Custom {
			return w.done(to, "response.custom_tool_call_input.done", "", "input", "")
		}
		_, name := w.toolName()
		tail := jsonscan.AppendText([]byte(`,"name":`), name)
		return w.done(to, "response.function_call_arguments.done", "", "arguments", string(tail))
	default:
		return to
	}
	return append(appendPart(append(to, `,"part":`...), it.kind, it.text, it.probs), "}\n\n"...)
}

// done appends an event that tells the text in a member of that name.
func (w *writer) done(to []byte, name, index, member, tail string) []byte {
	to = append(append(append(w.within(to, name, index), `,"`...), member...), `":`...)
	return append(append(jsonscan.AppendBytes(to, w.item.text), tail...), "}\n\n"...)
}
