package gateway

import (
	"net/netip"
	"strconv"
	"time"
	"unsafe"
)

// scratch is memory in which the fields and names of one exchange are rendered.
// Its strings are leased like everything else of the exchange: the next one
// writes over them.
type scratch struct{ b []byte }

// keptScratch is the most that an idle exchange keeps.
const keptScratch = 4 << 10

// reset ends every lease.
func (s *scratch) reset() {
	if cap(s.b) > keptScratch {
		s.b = nil
	}
	s.b = s.b[:0]
}

// since returns what was appended from an offset on.
func (s *scratch) since(from int) string {
	return unsafe.String(unsafe.SliceData(s.b[from:]), len(s.b)-from)
}

// copy takes a copy of text.
func (s *scratch) copy(text string) string {
	from := len(s.b)
	s.b = append(s.b, text...)
	return s.since(from)
}

// integer renders a number.
func (s *scratch) integer(n int64) string {
	from := len(s.b)
	s.b = strconv.AppendInt(s.b, n, 10)
	return s.since(from)
}

// parameters renders a name with two numeric parameters.
func (s *scratch) parameters(name, first string, n int64, second string, m int64) string {
	from := len(s.b)
	s.b = append(append(s.b, name...), first...)
	s.b = strconv.AppendInt(s.b, n, 10)
	s.b = strconv.AppendInt(append(s.b, second...), m, 10)
	return s.since(from)
}

// address renders an IP address.
func (s *scratch) address(ip netip.Addr) string {
	from := len(s.b)
	s.b = ip.AppendTo(s.b)
	return s.since(from)
}

// duration renders d as time.Duration.String does, to the millisecond.
func (s *scratch) duration(d time.Duration) string {
	from := len(s.b)
	s.b = appendMillis(s.b, d.Round(time.Millisecond).Milliseconds())
	return s.since(from)
}

// appendMillis renders milliseconds the way of time.Duration: 0s, 12ms, 1.5s,
// 2m0s, 1h0m0.25s.
func appendMillis(b []byte, ms int64) []byte {
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	if ms == 0 {
		return append(b, "0s"...)
	}
	if ms < 1000 {
		return append(strconv.AppendInt(b, ms, 10), "ms"...)
	}
	hours, minutes := ms/3_600_000, ms/60_000%60
	if hours > 0 {
		b = append(strconv.AppendInt(b, hours, 10), 'h')
	}
	if hours > 0 || minutes > 0 {
		b = append(strconv.AppendInt(b, minutes, 10), 'm')
	}
	b = strconv.AppendInt(b, ms/1000%60, 10)
	if rest := ms % 1000; rest > 0 {
		fraction := [4]byte{'.', byte('0' + rest/100), byte('0' + rest/10%10), byte('0' + rest%10)}
		n := len(fraction)
		for fraction[n-1] == '0' {
			n--
		}
		b = append(b, fraction[:n]...)
	}
	return append(b, 's')
}
