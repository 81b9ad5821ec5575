package gemini

import (
	"encoding/json"
	"fmt"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// wholeWriter gathers an answer and tells it at its end.
type wholeWriter struct {
	answer
	candidates []*gathered
}

// gathered is one candidate so far.
type gathered struct {
	candidate
	parts []part
	// text is that of the part that is open, if one is: thought or not.
	text          []byte
	open, thought bool
	probs         *form.Logprobs
}

var _ form.Writer = (*wholeWriter)(nil)

// Write implements [form.Writer].
func (w *wholeWriter) Write(to []byte, ev *form.Event) ([]byte, error) {
	p, ok, err := w.take(ev)
	if err != nil || !ok {
		return to, err
	}
	g := w.candidate(ev.Choice)
	g.add(p)
	g.probs = g.probs.Add(ev.Logprobs)
	return to, nil
}

// add joins pieces of text; a signature ends the text it stands behind.
func (g *gathered) add(p part) {
	if p.Text == nil || g.open && g.thought != p.Thought {
		g.close("")
	}
	if p.Text == nil {
		g.parts = append(g.parts, p)
		return
	}
	g.text = append(g.text, *p.Text...)
	g.open, g.thought = true, p.Thought
	if p.ThoughtSignature != "" {
		g.close(p.ThoughtSignature)
	}
}

// close ends the text that is open.
func (g *gathered) close(signature string) {
	if !g.open {
		return
	}
	text := string(g.text)
	g.parts = append(g.parts, part{Text: &text, Thought: g.thought, ThoughtSignature: signature})
	g.text, g.open = g.text[:0], false
}

// candidate returns the candidate of that number.
func (w *wholeWriter) candidate(n int) *gathered {
	for _, g := range w.candidates {
		if g.Index == n {
			return g
		}
	}
	g := &gathered{candidate: candidate{Index: n}}
	w.candidates = append(w.candidates, g)
	return g
}

// End implements [form.Writer].
func (w *wholeWriter) End(to []byte) ([]byte, error) {
	for _, f := range w.reasons {
		g := w.candidate(f.candidate)
		g.FinishReason, g.FinishMessage = f.reason, f.message
	}
	reply := w.reply()
	for _, g := range w.candidates {
		g.close("")
		g.Content = &content{Role: roleModel, Parts: g.parts}
		g.LogprobsResult = logprobsOf(g.probs)
		reply.Candidates = append(reply.Candidates, g.candidate)
	}
	doc, err := json.Marshal(reply)
	if err != nil {
		return to, fmt.Errorf("rendering the answer: %w", err)
	}
	return append(to, doc...), nil
}

// ContentType implements [form.Writer].
func (*wholeWriter) ContentType() string { return "application/json" }
