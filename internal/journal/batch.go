package journal

import (
	"encoding/binary"

	"github.com/sluicegate/sluice"
)

// AppendBatch encodes entries behind b, as [DecodeBatch] reads them: what a
// transport between two processes carries. Each entry is its length and the same
// bytes as on disk.
func AppendBatch(b []byte, entries []Entry) []byte {
	var body []byte
	for i := range entries {
		// What was durable is a matter of the disk; its place takes Through.
		body = appendBody(body[:0], &entries[i], entries[i].Through)
		b = append(binary.AppendUvarint(b, uint64(len(body))), body...)
	}
	return b
}

// DecodeBatch reads at most [MaxBatch] entries whose numbers rise; they share
// nothing with b. Anything else is [sluice.CodeInvalidRequest], or
// [sluice.CodeSchemaNewer] for an entry of a newer version.
func DecodeBatch(b []byte) (entries []Entry, err error) {
	bad := func(reason string) ([]Entry, error) {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "journal entry %d of the batch %s", len(entries), reason)
	}
	last := Seq(0)
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		if used <= 0 || n < bodyHead || n > maxBody || n > uint64(len(b)-used) {
			return bad("is cut off, or too long")
		}
		body := b[used : used+int(n)]
		b = b[used+int(n):]
		e, err := decodeBody(body)
		if sluice.CodeOf(err) == sluice.CodeSchemaNewer {
			return nil, err
		}
		if err != nil {
			return bad("does not decode")
		}
		if e.Kind == Lost {
			e.Through = Seq(binary.LittleEndian.Uint64(body[8:]))
		}
		switch {
		case len(entries) == MaxBatch:
			return bad("is one too many")
		case e.Kind != Open && e.Kind != Progress && e.Kind != Terminal && e.Kind != Lost:
			return bad("is of no kind")
		case e.Seq <= last || e.Kind == Lost && e.Through < e.Seq:
			return bad("has a number out of order")
		}
		last = max(e.Seq, e.Through)
		entries = append(entries, e)
	}
	return entries, nil
}
