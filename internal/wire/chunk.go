package wire

// dechunker takes the chunked coding (RFC 9112, 7.1) apart, strictly, and never
// sees more than the bytes it is given: it can stop between any two.
type dechunker struct {
	state chunkState
	// left counts the data bytes of the current chunk still to come.
	left int64
	// digits counts the hex digits of the current size; extension and
	// extensions the extension bytes of this chunk and of the body.
	digits, extension, extensions int
	// trailer gathers the trailer section with its blank line.
	trailer []byte
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkDone
)

// maxSizeDigits keeps a size within an int64 without a check for overflow.
const maxSizeDigits = 15

// reset makes the dechunker ready for another body and keeps its memory.
func (d *dechunker) reset() { *d = dechunker{trailer: d.trailer[:0]} }

// done reports whether the body ended, trailers included.
func (d *dechunker) done() bool { return d.state == chunkDone }

// step reads framing at the start of b: skip bytes of it were framing, the n
// after them, at most max, are data and count as taken. n is 0 when more bytes
// are needed or the body is done.
func (d *dechunker) step(b []byte, max int) (skip, n int, err error) {
	for skip < len(b) && d.state != chunkDone {
		if d.state == chunkData {
			n = int(min(int64(len(b)-skip), int64(max), d.left))
			if d.left -= int64(n); d.left == 0 {
				d.state = chunkDataCR
			}
			return skip, n, nil
		}
		if err := d.framing(b[skip]); err != nil {
			return skip, 0, err
		}
		skip++
	}
	return skip, 0, nil
}

// framing takes in one byte outside the data.
func (d *dechunker) framing(b byte) error {
	switch d.state {
	case chunkSize:
		return d.size(b)
	case chunkExtension:
		return d.extend(b)
	case chunkSizeLF:
		return d.sizeEnd(b)
	case chunkDataCR:
		return d.expect(b, '\r', chunkDataLF)
	case chunkDataLF:
		return d.expect(b, '\n', chunkSize)
	case chunkTrailer:
		return d.trail(b)
	}
	return nil
}

func (d *dechunker) expect(b, want byte, next chunkState) error {
	if b != want {
		return errChunk
	}
	d.state = next
	return nil
}

func (d *dechunker) size(b byte) error {
	if v := hexDigit(b); v >= 0 {
		if d.digits++; d.digits > maxSizeDigits {
			return errChunk
		}
		d.left = d.left<<4 | int64(v)
		return nil
	}
	switch {
	case d.digits == 0:
		return errChunk
	case b == '\r':
		d.state = chunkSizeLF
	case b == ';':
		d.state = chunkExtension
	default:
		return errChunk
	}
	return nil
}

func (d *dechunker) extend(b byte) error {
	if b == '\r' {
		d.state = chunkSizeLF
		return nil
	}
	d.extension++
	d.extensions++
	if d.extension > maxChunkExtension || d.extensions > maxChunkExtensions || b < ' ' && b != '\t' || b == 0x7f {
		return errChunk
	}
	return nil
}

func (d *dechunker) sizeEnd(b byte) error {
	if b != '\n' {
		return errChunk
	}
	d.state = chunkData
	if d.left == 0 {
		d.state = chunkTrailer
	}
	d.digits, d.extension = 0, 0
	return nil
}

// trail gathers the trailer section until its blank line. Whoever wants the
// trailers parses them; the line ends are checked here.
func (d *dechunker) trail(b byte) error {
	d.trailer = append(d.trailer, b)
	t := d.trailer
	n := len(t)
	afterCR := n >= 2 && t[n-2] == '\r'
	if n > maxTrailerBytes || afterCR != (b == '\n') {
		return errTrailer
	}
	if b == '\n' && (n == 2 || n >= 4 && t[n-3] == '\n') {
		d.state = chunkDone
	}
	return nil
}

// hexDigit returns the value of a hex digit, -1 for another byte.
func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

// appendChunkSize writes the size line of a chunk.
func appendChunkSize(b []byte, n int) []byte {
	const digits = "0123456789abcdef"
	shift := 60
	for shift > 0 && n>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		b = append(b, digits[n>>shift&15])
	}
	return append(b, '\r', '\n')
}
