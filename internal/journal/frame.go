package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// chain is the hash that ties an entry to all before it.
type chain [16]byte

// frameHead precedes a body: its length, the CRC over length, chain and body,
// and the chain.
const frameHead = 4 + 4 + len(chain{})

// castagnoli has an instruction of its own on common processors.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// framer appends frames; it keeps what would otherwise be allocated each time.
type framer struct {
	sum  hash.Hash
	last chain
	in   chain
	out  [sha256.Size]byte
}

func newFramer(last chain) framer { return framer{sum: sha256.New(), last: last} }

// append encodes the entry as a frame behind b and moves the chain on.
func (f *framer) append(b []byte, e *Entry, synced Seq) []byte {
	start := len(b)
	var head [frameHead]byte
	b = append(b, head[:]...)
	b = appendBody(b, e, synced)
	frame := b[start:]
	body := frame[frameHead:]
	f.last = f.next(f.last, body)
	binary.LittleEndian.PutUint32(frame, uint32(len(body)))
	copy(frame[8:], f.last[:])
	binary.LittleEndian.PutUint32(frame[4:], checksum(frame))
	return b
}

// next is the chain hash of a body that follows an entry.
func (f *framer) next(previous chain, body []byte) chain {
	f.in = previous
	f.sum.Reset()
	f.sum.Write(f.in[:])
	f.sum.Write(body)
	return chain(f.sum.Sum(f.out[:0])[:len(chain{})])
}

// checksum covers everything but itself.
func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:4], castagnoli), castagnoli, frame[8:])
}

// segmentName and segmentNumber translate between a segment and its file.
func segmentName(number uint64) string { return fmt.Sprintf("journal-%012d.log", number) }

func segmentNumber(name string) (number uint64, ok bool) {
	n, err := fmt.Sscanf(name, "journal-%012d.log", &number)
	return number, n == 1 && err == nil && name == segmentName(number)
}

// header begins a segment.
type header struct {
	number uint64
	// id tells the process that wrote the segment from all others.
	id [8]byte
	// previous is the last entry before this segment and last its chain; what
	// older segments hold beyond previous is void.
	previous Seq
	last     chain
	// first is the number that the segment's first entry has.
	first Seq
}

const (
	headerSize    = 72
	headerMagic   = "SLUICEJ1"
	headerVersion = 1
)

func (h header) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, headerMagic...)
	b = binary.LittleEndian.AppendUint32(b, headerVersion)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = append(b, h.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.previous))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.first))
	b = append(b, h.last[:]...)
	b = append(b, make([]byte, headerSize-4-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize || string(b[:8]) != headerMagic || binary.LittleEndian.Uint32(b[8:]) != headerVersion ||
		crc32.Checksum(b[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return header{}, false
	}
	h.number = binary.LittleEndian.Uint64(b[12:])
	h.id = [8]byte(b[20:28])
	h.previous = Seq(binary.LittleEndian.Uint64(b[28:]))
	h.first = Seq(binary.LittleEndian.Uint64(b[36:]))
	h.last = chain(b[44:60])
	return h, true
}

// errNoFrame says that no whole frame begins here.
var errNoFrame = errors.New("no whole frame")

// scanner reads a segment frame by frame through a window, so that a segment is
// never in memory as a whole.
type scanner struct {
	file   io.ReaderAt
	end    int64 // reads stop here
	off    int64 // of the next frame
	window []byte
	at     int64 // offset of the window
}

// windowSize holds a few dozen usual frames and any single one.
const windowSize = 2 * (maxBody + frameHead)

// peek returns n bytes at the offset without moving.
func (s *scanner) peek(off int64, n int) ([]byte, error) {
	if off+int64(n) > s.end {
		return nil, errNoFrame
	}
	if off < s.at || off+int64(n) > s.at+int64(len(s.window)) {
		if s.window == nil {
			s.window = make([]byte, 0, windowSize)
		}
		want := min(int64(windowSize), s.end-off)
		got, err := s.file.ReadAt(s.window[:want], off)
		s.window, s.at = s.window[:got], off
		if err != nil && err != io.EOF {
			s.window = s.window[:0]
			return nil, fmt.Errorf("reading a segment at %d: %w", off, err)
		}
		if got < n {
			return nil, errNoFrame
		}
	}
	i := off - s.at
	return s.window[i : i+int64(n)], nil
}

// frame is a whole frame of a segment; its body is valid until the next call.
type frame struct {
	seq    Seq
	synced Seq // what was durable when it was encoded
	chain  chain
	body   []byte
	raw    []byte // all of it
}

// frameAt returns the whole frame at the offset and where the next one begins,
// or errNoFrame.
func (s *scanner) frameAt(off int64) (frame, int64, error) {
	head, err := s.peek(off, frameHead)
	if err != nil {
		return frame{}, 0, err
	}
	length := int(binary.LittleEndian.Uint32(head))
	if length < bodyHead || length > maxBody {
		return frame{}, 0, errNoFrame
	}
	whole, err := s.peek(off, frameHead+length)
	if err != nil {
		return frame{}, 0, err
	}
	if checksum(whole) != binary.LittleEndian.Uint32(whole[4:]) {
		return frame{}, 0, errNoFrame
	}
	body := whole[frameHead:]
	return frame{
		seq:    Seq(binary.LittleEndian.Uint64(body)),
		synced: Seq(binary.LittleEndian.Uint64(body[8:])),
		chain:  chain(whole[8:frameHead]),
		body:   body,
		raw:    whole,
	}, off + int64(len(whole)), nil
}

// next returns the frame at the scanner's offset and moves behind it.
func (s *scanner) next() (frame, error) {
	f, after, err := s.frameAt(s.off)
	if err == nil {
		s.off = after
	}
	return f, err
}

// resync moves to the next whole frame behind damage, wherever it begins;
// errNoFrame means that there is none.
func (s *scanner) resync() error {
	for off := s.off + 1; off+int64(frameHead+bodyHead) <= s.end; off++ {
		_, _, err := s.frameAt(off)
		if err == nil {
			s.off = off
			return nil
		}
		if !errors.Is(err, errNoFrame) {
			return err
		}
	}
	return errNoFrame
}
