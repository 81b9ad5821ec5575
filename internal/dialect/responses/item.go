package responses

import (
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// open is the item that is being told.
type open struct {
	kind form.PartKind // "" between items
	id   string
	call form.Call
	// text is what has come of it, signature what seals it.
	text      []byte
	signature string
	// probs are the probabilities of its tokens, as elements of a list.
	probs []byte
	// told tells that its part was announced.
	told bool
}

// begin announces the item of a part.
func (w *writer) begin(to []byte, p *form.Part) []byte {
	to = w.close(to)
	switch p.Kind {
	case form.PartText, form.PartRefusal:
		w.open(p.Kind, "msg_")
		w.refused = w.refused || p.Kind == form.PartRefusal
	case form.PartReasoning:
		w.open(p.Kind, "rs_")
	case form.PartCall:
		if p.Signature.Value != "" {
			to = w.signCall(to, p.Signature)
		}
		prefix := "fc_"
		if p.Call.Custom {
			prefix = "ctc_"
		}
		w.open(p.Kind, prefix)
		w.item.call = *p.Call
	case form.PartImage:
		return w.picture(to, p.Media)
	default:
		return to // what only another protocol has cannot be told here
	}
	return w.added(to)
}

// open makes an item the current one.
func (w *writer) open(kind form.PartKind, prefix string) {
	id := prefix + plainID(w.info.RequestID) + "_" + strconv.Itoa(w.count)
	w.item = open{kind: kind, id: id, text: w.item.text[:0], probs: w.item.probs[:0]}
	w.count++
}

// added tells that the item has begun.
func (w *writer) added(to []byte) []byte {
	if !w.streamed {
		return to
	}
	to = w.itemEvent(to, "response.output_item.added")
	return append(w.appendItem(append(to, `,"item":`...), "in_progress"), "}\n\n"...)
}

// signCall tells the signature of the call that follows as an item of its own.
func (w *writer) signCall(to []byte, s form.Signature) []byte {
	w.open(form.PartReasoning, "rs_")
	w.item.signature = sealCall(s)
	return w.close(w.added(to))
}

// picture tells an image, which comes whole.
func (w *writer) picture(to []byte, m *form.Media) []byte {
	if m == nil || m.Data == "" {
		return to
	}
	w.open(form.PartImage, "ig_")
	to = w.added(to)
	w.item.text = append(w.item.text, m.Data...)
	return w.close(to)
}

// delta adds to the item.
func (w *writer) delta(to []byte, ev *form.Event) ([]byte, error) {
	it := &w.item
	if ev.Signature.Value != "" || ev.Sealed != "" {
		s := ev.Signature
		it.signature = seal(s, ev.Sealed)
	}
	if ev.Text == "" && ev.Logprobs == nil || it.kind == "" {
		return to, nil
	}
	before := len(it.probs)
	if p := ev.Logprobs; p != nil {
		if before > 0 {
			it.probs = append(it.probs, ',')
			before++
		}
		it.probs = AppendLogprobs(it.probs, p.Tokens)
	}
	if w.streamed && len(it.text)+len(it.probs)+len(ev.Text) > maxItem {
		return to, sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer holds an item of more than %d bytes", maxItem)
	}
	it.text = append(it.text, ev.Text...)
	if !w.streamed {
		return to, nil
	}
	if !it.told {
		it.told = true
		to = w.partAdded(to)
	}
	return w.piece(to, ev.Text, it.probs[before:]), nil
}

// close ends the item: what has come of it is told once more, whole.
func (w *writer) close(to []byte) []byte {
	it := &w.item
	if it.kind == "" {
		return to
	}
	if it.kind == form.PartCall && len(it.text) == 0 && !it.call.Custom && w.reason == "" {
		it.text = append(it.text, "{}"...)
		if w.streamed {
			to = w.piece(to, "{}", nil)
		}
	}
	status := "completed"
	if w.reason != "" {
		status = "incomplete"
	}
	if w.streamed {
		to = w.partDone(to)
		to = append(w.itemEvent(to, "response.output_item.done"), `,"item":`...)
		to = append(w.appendItem(to, status), "}\n\n"...)
	}
	w.keep(status)
	it.kind = ""
	return to
}

// keep remembers the item for the whole answer.
func (w *writer) keep(status string) {
	if w.outgrown || w.streamed && len(w.kept)+len(w.item.text)+len(w.item.probs) > maxKept {
		w.kept, w.outgrown = nil, true
		return
	}
	if len(w.kept) > 0 {
		w.kept = append(w.kept, ',')
	}
	w.kept = w.appendItem(w.kept, status)
}
