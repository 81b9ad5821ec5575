package sluice

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// The compact form of a record is how it travels in a gateway's journal: a third
// of its JSON, written and read without reflection. Numbers are varints of
// encoding/binary in their shortest form, text is its length in bytes and then
// UTF-8. In order:
//
//	version            one byte, recordForm
//	flags              one byte: 1 stream, 2 unpriced
//	time               seconds since 1970 (signed), nanoseconds (unsigned)
//	text               every string field of Record but those below, in its order
//	key id             unsigned
//	numbers            status, latency, time to first byte, bytes in, bytes out:
//	                   signed
//	usage              a set of bits (unsigned), the lowest for the first of
//	                   usageCounts, and each number that is in it, signed; 0 is not
//	price              version (unsigned), multiplier (signed)
//	cost               amount (signed), asset (text)
//	attempts           their number, then target, status, code, latency of each
//	plugins            their number, then plugin, phase, decision, microseconds
//
// What a usage comes to count goes to the end of usageCounts, and older versions
// of this program refuse records that have it. Any other field that is added goes
// to the end of the form, under the next version; every version of before stays
// readable.

// recordForm is the version that is written. No version is ever '{', which
// begins a record in JSON.
const recordForm = 1

// maxRecordForm bounds what is read as one record.
const maxRecordForm = 64 << 10

const (
	recordStream   = 1 << 0
	recordUnpriced = 1 << 1
)

// AppendRecord appends the compact form of r to b, and allocates only to grow
// it. Bytes that are not UTF-8 are replaced, as in JSON. [DecodeRecord] reads
// it, up to 64 KiB.
func AppendRecord(b []byte, r *Record) []byte {
	var flags byte
	if r.Stream {
		flags |= recordStream
	}
	if r.Unpriced {
		flags |= recordUnpriced
	}
	b = append(b, recordForm, flags)
	b = binary.AppendVarint(b, r.Time.Unix())
	b = binary.AppendUvarint(b, uint64(r.Time.Nanosecond()))
	for _, s := range [...]string{
		r.ID, r.Gateway, r.Tenant, r.User, r.Key, r.Group, r.Route, r.Upstream, r.Surface, r.Operation, r.Model, r.Provider, r.ProviderModel,
		r.Method, r.Host, r.Path, r.ClientIP, string(r.Outcome), string(r.Code), string(r.UsageSource),
	} {
		b = appendText(b, s)
	}
	b = binary.AppendUvarint(b, r.KeyID)
	for _, n := range [...]int64{int64(r.Status), r.LatencyMS, r.TTFTMS, r.BytesIn, r.BytesOut} {
		b = binary.AppendVarint(b, n)
	}
	b = appendUsage(b, &r.Usage)
	b = binary.AppendUvarint(b, r.Price.Version)
	b = binary.AppendVarint(b, int64(r.Price.Multiplier))
	b = binary.AppendVarint(b, int64(r.Cost.Amount))
	b = appendText(b, r.Cost.Asset)
	b = binary.AppendUvarint(b, uint64(len(r.Attempts)))
	for i := range r.Attempts {
		a := &r.Attempts[i]
		b = binary.AppendVarint(appendText(b, a.Target), int64(a.Status))
		b = binary.AppendVarint(appendText(b, string(a.Code)), a.LatencyMS)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Plugins)))
	for i := range r.Plugins {
		p := &r.Plugins[i]
		b = appendText(appendText(appendText(b, p.Plugin), p.Phase), p.Decision)
		b = binary.AppendVarint(b, p.Micros)
	}
	return b
}

// usageCounts are what a usage counts, in the order of its bits in the form: new
// ones go to the end, and none ever goes away.
func usageCounts(u *Usage) [14]*int64 {
	return [...]*int64{
		&u.Input, &u.CachedInput, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning, &u.AudioInput, &u.AudioOutput, &u.Image,
		&u.ImageInput, &u.Images, &u.AudioSeconds, &u.Characters, &u.SearchUnits,
	}
}

func appendUsage(b []byte, u *Usage) []byte {
	counts := usageCounts(u)
	var set uint64
	for i, n := range counts {
		if *n != 0 {
			set |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, set)
	for _, n := range counts {
		if *n != 0 {
			b = binary.AppendVarint(b, *n)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// DecodeRecord reads what [AppendRecord] wrote, and a record in JSON, which
// journals held before there was a compact form. The times of a compact one are
// in UTC, and it shares nothing with b. An error is [CodeSchemaNewer] for a form
// that a later version wrote, and [CodeDiscrepancy] for anything that is not a
// whole record and nothing else.
func DecodeRecord(b []byte) (Record, error) {
	switch {
	case len(b) == 0 || len(b) > maxRecordForm:
		return Record{}, Errorf(CodeDiscrepancy, "a record has %d bytes, not 1 to %d", len(b), maxRecordForm)
	case b[0] == '{':
		return decodeRecordJSON(b)
	case b[0] > recordForm:
		return Record{}, Errorf(CodeSchemaNewer, "a record has form %d, this version reads up to %d", b[0], recordForm)
	case b[0] == 0:
		return Record{}, Errorf(CodeDiscrepancy, "a record has no form")
	}
	d := recordDecoder{rest: string(b[1:])}
	r := d.record()
	if d.bad || d.rest != "" {
		return Record{}, Errorf(CodeDiscrepancy, "a record of %d bytes does not decode", len(b))
	}
	return r, nil
}

func decodeRecordJSON(b []byte) (r Record, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return Record{}, Errorf(CodeDiscrepancy, "a record in JSON does not decode").Because(err)
	}
	return r, nil
}

// recordDecoder reads a compact form. After the first thing that does not fit,
// bad is set and everything reads as zero. Text is cut out of rest: a record has
// one block of memory for all of it.
type recordDecoder struct {
	rest string
	bad  bool
}

func (d *recordDecoder) record() (r Record) {
	flags := d.byte()
	if flags&^(recordStream|recordUnpriced) != 0 {
		d.fail()
	}
	r.Stream, r.Unpriced = flags&recordStream != 0, flags&recordUnpriced != 0
	r.Time = d.time()
	for _, s := range [...]*string{
		&r.ID, &r.Gateway, &r.Tenant, &r.User, &r.Key, &r.Group, &r.Route, &r.Upstream, &r.Surface, &r.Operation, &r.Model, &r.Provider, &r.ProviderModel,
		&r.Method, &r.Host, &r.Path, &r.ClientIP, (*string)(&r.Outcome), (*string)(&r.Code), (*string)(&r.UsageSource),
	} {
		*s = d.text()
	}
	r.KeyID = d.unsigned()
	r.Status = d.status()
	for _, n := range [...]*int64{&r.LatencyMS, &r.TTFTMS, &r.BytesIn, &r.BytesOut} {
		*n = d.signed()
	}
	d.usage(&r.Usage)
	r.Price = PriceRef{Version: d.unsigned(), Multiplier: Multiplier(d.signed())}
	r.Cost = Money{Amount: Nanos(d.signed()), Asset: d.text()}
	if n := d.count(4); n > 0 {
		r.Attempts = make([]Attempt, n)
	}
	for i := range r.Attempts {
		r.Attempts[i] = Attempt{Target: d.text(), Status: d.status(), Code: Code(d.text()), LatencyMS: d.signed()}
	}
	if n := d.count(4); n > 0 {
		r.Plugins = make([]PluginTrace, n)
	}
	for i := range r.Plugins {
		r.Plugins[i] = PluginTrace{Plugin: d.text(), Phase: d.text(), Decision: d.text(), Micros: d.signed()}
	}
	return r
}

func (d *recordDecoder) fail() { d.bad, d.rest = true, "" }

func (d *recordDecoder) byte() byte {
	if d.rest == "" {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// unsigned reads a varint. A longer form than it needs is refused: each record
// has one form.
func (d *recordDecoder) unsigned() (v uint64) {
	for i := range min(len(d.rest), binary.MaxVarintLen64) {
		c := d.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break // more than 64 bits
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c == 0 && i > 0 {
				break
			}
			d.rest = d.rest[i+1:]
			return v
		}
	}
	d.fail()
	return 0
}

// signed reads a varint in which the lowest bit is the sign.
func (d *recordDecoder) signed() int64 {
	v := d.unsigned()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *recordDecoder) usage(u *Usage) {
	counts := usageCounts(u)
	set := d.unsigned()
	if set >= 1<<len(counts) {
		d.fail()
	}
	for i, n := range counts {
		if set&(1<<i) == 0 {
			continue
		}
		if *n = d.signed(); *n == 0 {
			d.fail()
		}
	}
}

// status reads a number that has to be an int of this machine.
func (d *recordDecoder) status() int {
	v := d.signed()
	if v != int64(int(v)) {
		d.fail()
		return 0
	}
	return int(v)
}

// count reads how many things follow that have at least so many bytes each.
func (d *recordDecoder) count(least int) int {
	n := d.unsigned()
	if n > uint64(len(d.rest)/least) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *recordDecoder) text() string {
	n := d.unsigned()
	if n > uint64(len(d.rest)) || !utf8.ValidString(d.rest[:n]) {
		d.fail()
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *recordDecoder) time() time.Time {
	seconds, nanos := d.signed(), d.unsigned()
	if nanos >= uint64(time.Second) {
		d.fail()
	}
	t := time.Unix(seconds, int64(nanos)).UTC()
	if t.Unix() != seconds {
		d.fail() // no time can be that far away
	}
	return t
}
