package openai

import (
	"bytes"
	"encoding/binary"
)

// Encodings of WAVE whose samples have a fixed size (RFC 2361, and the
// extensible format), from which the length of a recording follows.
const (
	wavePCM        = 0x0001
	waveFloat      = 0x0003
	waveALaw       = 0x0006
	waveMuLaw      = 0x0007
	waveExtensible = 0xFFFE
)

// Bounds of what is believed of a header, in bytes for each second.
const (
	waveSlowest = 4_000
	waveFastest = 10_000_000
	waveChunks  = 64 // how many chunks are looked at
)

// wavSeconds reads from the header of a WAVE file (RIFF) how many begun seconds
// it lasts: as it states, and at the most, by all the bytes that could be
// samples. ok is false for anything else, and for a header that cannot be
// believed.
func wavSeconds(file []byte) (likely, most int64, ok bool) {
	if len(file) < 12 || !bytes.HasPrefix(file, []byte("RIFF")) || string(file[8:12]) != "WAVE" {
		return 0, 0, false
	}
	rate := int64(0)
	rest := file[12:]
	for range waveChunks {
		if len(rest) < 8 {
			return 0, 0, false
		}
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:8]))
		rest = rest[8:]
		held := int64(len(rest))
		switch name {
		case "fmt ":
			if rate = waveRate(rest); size > held {
				return 0, 0, false
			}
		case "data":
			if rate < waveSlowest || rate > waveFastest {
				return 0, 0, false
			}
			if size == 0 || size > held {
				size = held // written as a stream, or cut off
			}
			return begun(size, rate), begun(held, rate), true
		}
		size += size & 1 // chunks are padded to even lengths
		if size > held {
			return 0, 0, false
		}
		rest = rest[size:]
	}
	return 0, 0, false
}

// waveRate is how many bytes a second takes by a format chunk, 0 if that cannot
// be told. The header's own sum is not believed: players work it out, too.
func waveRate(chunk []byte) int64 {
	if len(chunk) < 16 {
		return 0
	}
	switch binary.LittleEndian.Uint16(chunk) {
	case wavePCM, waveFloat, waveALaw, waveMuLaw, waveExtensible:
	default:
		return 0
	}
	channels, samples := int64(binary.LittleEndian.Uint16(chunk[2:])), int64(binary.LittleEndian.Uint32(chunk[4:]))
	bits := int64(binary.LittleEndian.Uint16(chunk[14:]))
	return samples * channels * ((bits + 7) / 8)
}

// begun is how many seconds of so many bytes have begun.
func begun(size, rate int64) int64 { return (size + rate - 1) / rate }
