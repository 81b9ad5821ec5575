package form

// completeness follows the JSON text of a call's arguments, piece by piece, and
// tells when an object or array that it began is whole.
type completeness struct {
	depth                    int
	began, inString, escaped bool
}

// take reads the next piece.
func (c *completeness) take(text string) {
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case c.escaped:
			c.escaped = false
		case c.inString:
			c.escaped = b == '\\'
			c.inString = b != '"'
		case b == '"':
			c.inString = true
		case b == '{', b == '[':
			c.depth++
			c.began = true
		case b == '}', b == ']':
			c.depth--
		}
	}
}

// whole reports whether what was begun has ended.
func (c *completeness) whole() bool { return c.began && c.depth <= 0 && !c.inString }
