package journal

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/sluicegate/sluice"
)

// Kind is what an entry says. The numbers are on disk and never change.
type Kind uint8

// The kinds of entries.
const (
	Open     Kind = 1 // an attempt is about to reach its target
	Progress Kind = 2 // what it has delivered so far
	Terminal Kind = 3 // how it ended
	// Lost stands for entries that recovery found damaged: no journal holds it,
	// readers are told by it that everything up to Through is gone.
	Lost Kind = 255
)

// String returns the kind in capitals.
func (k Kind) String() string {
	switch k {
	case Open:
		return "OPEN"
	case Progress:
		return "PROGRESS"
	case Terminal:
		return "TERMINAL"
	case Lost:
		return "LOST"
	}
	return fmt.Sprintf("KIND(%d)", uint8(k))
}

// Seq numbers an entry: the epoch in the upper 24 bits, the count within it in
// the lower 40. Later entries have greater numbers; 0 is before the first.
type Seq uint64

// countBits is how many bits of a Seq are the count.
const countBits = 40

// Epoch is how often the journal had been opened.
func (s Seq) Epoch() uint64 { return uint64(s) >> countBits }

// String renders epoch and count: "3:1207".
func (s Seq) String() string {
	return fmt.Sprintf("%d:%d", s.Epoch(), uint64(s)&(1<<countBits-1))
}

// Limits of an entry.
const (
	// MaxAttempts is how many attempts one request may have.
	MaxAttempts = 63
	// MaxRecordBytes is how long an entry's record may be.
	MaxRecordBytes = 32 << 10
	// maxBody bounds a frame's body, whoever wrote it.
	maxBody = MaxRecordBytes + 16<<10
)

// Entry is one entry. Append reads it and keeps nothing of it.
type Entry struct {
	// Seq is assigned by Append.
	Seq     Seq
	Kind    Kind
	Request sluice.RequestID
	// Attempt counts from 1; a final TERMINAL may have 0 when no attempt is open.
	Attempt uint16
	At      time.Time
	// Hold goes with the first OPEN of a request; nil otherwise.
	Hold *sluice.Hold
	// Posting goes with PROGRESS (what is owed so far) and TERMINAL.
	Posting *sluice.Posting
	// Record is the request's record, in whatever form the caller keeps it.
	Record []byte
	// Through is the last lost entry, in one of the kind Lost.
	Through Seq
}

// entryVersion is the layout of the payload below; a reader refuses a greater
// one, so that an older binary does not misread a newer journal.
const entryVersion = 1

// bodyHead is what precedes the payload in a body: seq, synced, kind, version,
// attempt, time, request.
const bodyHead = 8 + 8 + 1 + 1 + 2 + 8 + 16

// appendBody encodes the entry's body behind b.
func appendBody(b []byte, e *Entry, synced Seq) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.LittleEndian.AppendUint64(b, uint64(synced))
	b = append(b, byte(e.Kind), entryVersion)
	b = binary.LittleEndian.AppendUint16(b, e.Attempt)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.At.UnixNano()))
	b = append(b, e.Request[:]...)
	var flags byte
	if e.Hold != nil {
		flags |= 1
	}
	if e.Posting != nil {
		flags |= 2
	}
	b = append(b, flags)
	if e.Hold != nil {
		b = appendHold(b, e.Hold)
	}
	if e.Posting != nil {
		b = appendPosting(b, e.Posting)
	}
	return appendBytes(b, e.Record)
}

func appendHold(b []byte, h *sluice.Hold) []byte {
	b = appendString(b, string(h.Wallet))
	b = binary.AppendVarint(b, int64(h.Floor))
	b = binary.AppendVarint(b, int64(h.Amount))
	b = binary.AppendUvarint(b, uint64(len(h.Caps)))
	for _, c := range h.Caps {
		b = appendString(b, string(c.Account))
		b = binary.AppendVarint(b, int64(c.Limit))
	}
	b = binary.AppendVarint(b, h.Deadline.UnixNano())
	b = appendPrice(b, h.Price)
	return appendBool(b, h.DebtForbidden)
}

func appendPosting(b []byte, p *sluice.Posting) []byte {
	b = appendBool(b, p.Final)
	b = appendString(b, string(p.Outcome))
	used := 0
	for _, n := range p.Quantities {
		if n != 0 {
			used++
		}
	}
	b = binary.AppendUvarint(b, uint64(used))
	for u, n := range p.Quantities {
		if n != 0 {
			b = binary.AppendUvarint(b, uint64(u))
			b = binary.AppendVarint(b, n)
		}
	}
	b = appendString(b, string(p.Source))
	b = appendPrice(b, p.Price)
	b = appendString(b, string(p.Wallet))
	b = appendBool(b, p.DebtForbidden)
	b = binary.AppendVarint(b, int64(p.Charge))
	b = appendString(b, string(p.Cost.Debit))
	b = appendString(b, string(p.Cost.Credit))
	return binary.AppendVarint(b, int64(p.Cost.Amount))
}

func appendPrice(b []byte, p sluice.PriceRef) []byte {
	return binary.AppendVarint(binary.AppendUvarint(b, p.Version), int64(p.Multiplier))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decodeBody reads a body whose frame was found whole. The entry shares nothing
// with b.
func decodeBody(b []byte) (Entry, error) {
	if len(b) < bodyHead {
		return Entry{}, sluice.Errorf(sluice.CodeDiscrepancy, "a journal entry has %d bytes", len(b))
	}
	e := Entry{
		Seq:     Seq(binary.LittleEndian.Uint64(b)),
		Kind:    Kind(b[16]),
		Attempt: binary.LittleEndian.Uint16(b[18:]),
		At:      time.Unix(0, int64(binary.LittleEndian.Uint64(b[20:]))).UTC(),
		Request: sluice.RequestID(b[28:bodyHead]),
	}
	if version := b[17]; version > entryVersion {
		return Entry{}, sluice.Errorf(sluice.CodeSchemaNewer, "journal entry %s has layout %d, this version reads up to %d", e.Seq, version, entryVersion)
	}
	d := decoder{rest: b[bodyHead:]}
	flags := d.byte()
	if flags&1 != 0 {
		e.Hold = d.hold(e.Request)
	}
	if flags&2 != 0 {
		e.Posting = d.posting(e.Request, e.Attempt)
	}
	e.Record = d.bytes()
	if d.bad {
		return Entry{}, sluice.Errorf(sluice.CodeDiscrepancy, "journal entry %s does not decode", e.Seq)
	}
	return e, nil
}

// decoder reads a payload; after the first thing that does not fit, bad is set
// and everything reads as zero.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	if n == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) price() sluice.PriceRef {
	return sluice.PriceRef{Version: d.uint(), Multiplier: sluice.Multiplier(d.int())}
}

func (d *decoder) hold(request sluice.RequestID) *sluice.Hold {
	h := &sluice.Hold{Request: request, Wallet: sluice.AccountID(d.string()), Floor: sluice.Nanos(d.int()), Amount: sluice.Nanos(d.int())}
	caps := d.uint()
	if caps > sluice.MaxCaps {
		d.bad, d.rest = true, nil
		return h
	}
	for range caps {
		h.Caps = append(h.Caps, sluice.CapLimit{Account: sluice.AccountID(d.string()), Limit: sluice.Nanos(d.int())})
	}
	h.Deadline = time.Unix(0, d.int()).UTC()
	h.Price = d.price()
	h.DebtForbidden = d.byte() != 0
	return h
}

func (d *decoder) posting(request sluice.RequestID, attempt uint16) *sluice.Posting {
	p := &sluice.Posting{Request: request, Attempt: attempt, Final: d.byte() != 0, Outcome: sluice.Outcome(d.string())}
	for range min(d.uint(), sluice.UnitCount) {
		unit := d.uint()
		if unit >= sluice.UnitCount {
			d.bad, d.rest = true, nil
			return p
		}
		p.Quantities[unit] = d.int()
	}
	p.Source = sluice.UsageSource(d.string())
	p.Price = d.price()
	p.Wallet = sluice.AccountID(d.string())
	p.DebtForbidden = d.byte() != 0
	p.Charge = sluice.Nanos(d.int())
	p.Cost = sluice.CostLeg{Debit: sluice.AccountID(d.string()), Credit: sluice.AccountID(d.string()), Amount: sluice.Nanos(d.int())}
	return p
}
