package native

// Edit replaces a span of a document; an empty span inserts.
type Edit struct {
	Start, End int
	Text       []byte
}

// Splice returns doc with the edits, which are in order and do not overlap, in
// pieces that alias it: a large body is not copied for a model's name.
func Splice(doc []byte, edits ...Edit) [][]byte {
	pieces := make([][]byte, 0, 2*len(edits)+1)
	at := 0
	for _, e := range edits {
		if e.Start > at {
			pieces = append(pieces, doc[at:e.Start])
		}
		pieces = append(pieces, e.Text)
		at = e.End
	}
	if at < len(doc) {
		pieces = append(pieces, doc[at:])
	}
	return pieces
}
