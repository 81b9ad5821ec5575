package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"
	"unsafe"
)

// randomUint64 is the default source of randomness; ids must be unique, not
// secret.
func randomUint64() uint64 { return rand.Uint64() }

// idLength is that of a UUID as text.
const idLength = 36

// newID returns a UUIDv7 (RFC 9562, section 5.7): sortable by time, so that
// records are appended to the end of their index.
// It is written to out and leased with it.
func newID(out *[idLength]byte, now time.Time, random func() uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16|random()&0xfff|0x7000)
	binary.BigEndian.PutUint64(b[8:], random()&(1<<62-1)|1<<63)
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return unsafe.String(&out[0], len(out))
}
