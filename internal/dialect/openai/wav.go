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
	waveWidest  = 8  // bytes of a sample
)

// The extensible format has 24 bytes more, of which the last 16 name the encoding:
// its number, then a tail that those of WAVE share.
const (
	waveFormat   = 16
	waveExtended = 40
	waveTail     = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71"
)

// wavSeconds reads from the header of a WAVE file (RIFF) how many begun seconds
// it lasts: as it states, and at the most, by all the bytes that could be
// samples. ok is false for anything else, and for a header that cannot be
// believed: one that two readers may take for two lengths.
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
		if name == "data" {
			return waveSound(rest, size, rate)
		}
		padded := size + size&1 // chunks are of even lengths
		if padded > int64(len(rest)) {
			return 0, 0, false
		}
		if name == "fmt " {
			if rate != 0 {
				return 0, 0, false // some obey the first, some the last
			}
			if rate = waveRate(rest[:size]); rate < waveSlowest || rate > waveFastest {
				return 0, 0, false
			}
		}
		rest = rest[padded:]
	}
	return 0, 0, false
}

// waveSound is how long the samples in rest last, of which the first size bytes
// are said to be all. Where more of them may follow, they count.
func waveSound(rest []byte, size, rate int64) (likely, most int64, ok bool) {
	held := int64(len(rest))
	if rate == 0 {
		return 0, 0, false
	}
	if size == 0 || size > held {
		size = held // written as a stream, or cut off
	}
	if behind := rest[size:]; bytes.Contains(behind, []byte("fmt ")) {
		return 0, 0, false
	} else if bytes.Contains(behind, []byte("data")) {
		size = held
	}
	return begun(size, rate), begun(held, rate), true
}

// waveRate is how many bytes a second takes by a format chunk, 0 if that cannot
// be told. The header's own sum is not believed: players work it out, too.
func waveRate(chunk []byte) int64 {
	if len(chunk) < waveFormat {
		return 0
	}
	format, bits := binary.LittleEndian.Uint16(chunk), int64(binary.LittleEndian.Uint16(chunk[14:]))
	if format == waveExtensible {
		if len(chunk) < waveExtended || string(chunk[26:waveExtended]) != waveTail {
			return 0
		}
		format = binary.LittleEndian.Uint16(chunk[24:])
		if valid := int64(binary.LittleEndian.Uint16(chunk[18:])); valid > 0 {
			bits = min(bits, valid) // some pack them so
		}
	}
	sample := (bits + 7) / 8
	switch format {
	case waveALaw, waveMuLaw:
		sample = 1
	case wavePCM, waveFloat:
		if sample > waveWidest {
			return 0
		}
	default:
		return 0
	}
	channels, samples := int64(binary.LittleEndian.Uint16(chunk[2:])), int64(binary.LittleEndian.Uint32(chunk[4:]))
	return samples * channels * sample
}

// begun is how many seconds of so many bytes have begun.
func begun(size, rate int64) int64 { return (size + rate - 1) / rate }
