package anthropic

// maxMarks is how many cache marks the API takes.
const maxMarks = 4

// marks keeps the last cache marks where there are too many, because they cover
// the longest prefixes, and shortens those of an hour that follow one of five
// minutes, which the API refuses.
func (e *encoder) marks() error {
	all := e.marked()
	excess := len(all) - maxMarks
	short := false
	for i, b := range all {
		if i < excess {
			delete(b, "cache_control")
			continue
		}
		mark := b["cache_control"].(map[string]string)
		if short = short || mark["ttl"] == ""; short {
			delete(mark, "ttl")
		}
	}
	if excess > 0 {
		return e.target.Drop("cache_control", "/messages")
	}
	return nil
}

// marked are the blocks with a mark, in the order of the prompt: tools come
// first, then the instructions, then the turns.
func (e *encoder) marked() []block {
	var all []block
	add := func(b block) {
		if b["cache_control"] != nil {
			all = append(all, b)
		}
	}
	for _, t := range e.out.Tools {
		add(t)
	}
	for _, b := range e.out.System {
		add(b)
	}
	for _, m := range e.out.Messages {
		for _, b := range m.Content {
			add(b)
		}
	}
	return all
}
