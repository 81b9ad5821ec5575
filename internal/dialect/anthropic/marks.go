package anthropic

import "github.com/sluicegate/sluice/internal/dialect/form"

// maxMarks is how many cache marks the API takes.
const maxMarks = 4

// marks keeps the last cache marks where there are too many, because they cover
// the longest prefixes, and shortens those of an hour that follow one of five
// minutes, which the API refuses.
func (e *encoder) marks() error {
	all := e.marked()
	excess := len(all) - maxMarks
	short := false
	for i, mark := range all {
		if i < excess {
			*mark = form.CacheNone
			continue
		}
		if short = short || *mark == form.Cache5m; short {
			*mark = form.Cache5m
		}
	}
	if excess > 0 {
		return e.target.Drop("cache_control", "/messages")
	}
	return nil
}

// marked are the marks in the order of the prompt: tools come first, then the
// instructions, then the turns.
func (e *encoder) marked() []*form.Cache {
	var all []*form.Cache
	add := func(c *form.Cache) {
		if *c != form.CacheNone {
			all = append(all, c)
		}
	}
	for i := range e.out.tools {
		add(&e.out.tools[i].cache)
	}
	for i := range e.out.system {
		add(&e.out.system[i].cache)
	}
	for i := range e.out.messages {
		content := e.out.messages[i].content
		for j := range content {
			add(&content[j].cache)
		}
	}
	return all
}
