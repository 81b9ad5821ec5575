package form

import (
	"strconv"
	"strings"
)

// named is what a target remembers of a tool whose name or kind had to change.
type named struct {
	client string
	custom bool
}

// ToolName returns the name under which the provider is told of a client's
// tool: the same where it has at most that many bytes and consists of letters,
// digits, "_", "-" and the bytes in also; else one like it that no other tool
// of this request has. [Target.ClientTool] finds the way back.
func (t *Target) ToolName(name string, most int, also string) string {
	return t.rename(name, fitting(name, also), most)
}

// ToolWord is [Target.ToolName] for providers whose names begin with a letter or
// "_".
func (t *Target) ToolWord(name string, most int, also string) string {
	fit := fitting(name, also)
	if fit == "" || fit[0] != '_' && (fit[0]|0x20 < 'a' || fit[0]|0x20 > 'z') {
		fit = "_" + fit
	}
	return t.rename(name, fit, most)
}

// fitting replaces what a name cannot hold.
func fitting(name, also string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '_' || r == '-' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || strings.ContainsRune(also, r)) {
			return r
		}
		return '_'
	}, name)
}

// rename remembers a client's tool under a name like fit.
func (t *Target) rename(name, fit string, most int) string {
	for theirs, n := range t.tools {
		if n.client == name {
			return theirs
		}
	}
	fit = fit[:min(len(fit), most)]
	theirs := fit
	for n := 2; t.tools[theirs] != (named{}); n++ {
		suffix := "_" + strconv.Itoa(n)
		theirs = fit[:min(len(fit), most-len(suffix))] + suffix
	}
	if t.tools == nil {
		t.tools = map[string]named{}
	}
	t.tools[theirs] = named{client: name}
	return theirs
}

// CustomTool notes that a tool, by the provider's name of it, takes free text
// in the client's eyes, while the provider was told of an ordinary function.
func (t *Target) CustomTool(theirs string) {
	n, ok := t.tools[theirs]
	if !ok {
		n.client = theirs
	}
	n.custom = true
	if t.tools == nil {
		t.tools = map[string]named{}
	}
	t.tools[theirs] = n
}

// ClientTool is the inverse of [Target.ToolName], and tells whether the tool was
// noted with [Target.CustomTool]. A name that nobody changed stays as it is.
func (t *Target) ClientTool(theirs string) (name string, custom bool) {
	if n, ok := t.tools[theirs]; ok {
		return n.client, n.custom
	}
	return theirs, false
}
