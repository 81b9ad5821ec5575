package openai

import (
	"slices"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// callBook holds the calls of the last assistant's message that still wait for
// their results: every provider refuses a conversation in which one is missing
// or belongs to no call.
type callBook struct{ waiting []waitingCall }

// waitingCall is one of them.
type waitingCall struct {
	id, name string
	node     node
}

func (b *callBook) add(c *form.Call, n node) {
	b.waiting = append(b.waiting, waitingCall{id: c.ID, name: c.Name, node: n})
}

// answer finds the call that a tool_call_id names.
func (b *callBook) answer(id node) (form.Result, error) {
	text, err := id.text()
	if err != nil {
		return form.Result{}, err
	}
	return b.settle(id, func(w waitingCall) bool { return w.id == text })
}

// answerNamed finds the call that a function's name stands for.
func (b *callBook) answerNamed(name node) (form.Result, error) {
	text, err := name.text()
	if err != nil {
		return form.Result{}, err
	}
	return b.settle(name, func(w waitingCall) bool { return w.name == text })
}

func (b *callBook) settle(n node, is func(waitingCall) bool) (form.Result, error) {
	i := slices.IndexFunc(b.waiting, is)
	if i < 0 {
		return form.Result{}, n.bad("names no call of the preceding assistant message that waits for a result")
	}
	found := b.waiting[i]
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return form.Result{ID: found.id, Name: found.name}, nil
}

// done complains about a call that got no result.
func (b *callBook) done() error {
	if len(b.waiting) == 0 {
		return nil
	}
	return b.waiting[0].node.bad("has no result: a message of the role tool must follow for each call")
}
