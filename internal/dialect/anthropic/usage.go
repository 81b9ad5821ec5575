package anthropic

import (
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// stated is a usage as this API writes it: the classes of input are disjoint,
// those of output are not. A later statement overwrites what it repeats.
type stated struct {
	input, output, thinking count
	read, written           count
	written5m, written1h    count
}

// count is a number of tokens and whether it was there and sound.
type count struct {
	n            int64
	set, invalid bool
}

// take reads a number; null counts as absent.
func (c *count) take(doc []byte, v jsonscan.Value) {
	if !given(v) {
		return
	}
	n, ok := jsonscan.Int(doc, v)
	*c = count{n: n, set: true, invalid: !ok || n < 0}
}

// take reads a usage object.
func (s *stated) take(doc []byte, usage jsonscan.Value) {
	for m := usage.Members(doc); m.Next(); {
		v := m.Value()
		switch string(m.Key()) {
		case "input_tokens":
			s.input.take(doc, v)
		case "output_tokens":
			s.output.take(doc, v)
		case "cache_read_input_tokens":
			s.read.take(doc, v)
		case "cache_creation_input_tokens":
			s.written.take(doc, v)
		case "cache_creation":
			s.written5m.take(doc, jsonscan.Find(doc, v, "ephemeral_5m_input_tokens"))
			s.written1h.take(doc, jsonscan.Find(doc, v, "ephemeral_1h_input_tokens"))
		case "output_tokens_details":
			s.thinking.take(doc, jsonscan.Find(doc, v, "thinking_tokens"))
		}
	}
}

// usage splits what was stated into disjoint classes; ok is false when it
// states nothing that can be believed.
func (s *stated) usage() (u sluice.Usage, ok bool) {
	for _, c := range []count{s.input, s.output, s.read, s.written, s.written5m, s.written1h, s.thinking} {
		if c.invalid {
			return u, false
		}
	}
	written := s.written.n
	if !s.written.set {
		written = s.written5m.n + s.written1h.n
	}
	u.Input, u.CachedInput = s.input.n, s.read.n
	u.CacheWrite1h = min(s.written1h.n, written)
	u.CacheWrite5m = written - u.CacheWrite1h
	u.Reasoning = min(s.thinking.n, s.output.n)
	u.Output = s.output.n - u.Reasoning
	return u, (s.input.set || s.output.set) && peer.Plausible(&u)
}

// begun is what was stated of the input before the answer; ok is false when that
// is nothing, as with targets that count at the end.
func (s *stated) begun() (u sluice.Usage, ok bool) {
	u, ok = s.usage()
	u.Output, u.Reasoning = 0, 0
	return u, ok && u.Total() > 0
}

// appendUsage renders a usage. What this API has no class for is part of the sum
// that it belongs to.
func appendUsage(to []byte, u *sluice.Usage) []byte {
	number := func(name string, n int64) { to = strconv.AppendInt(append(to, name...), n, 10) }
	number(`{"input_tokens":`, u.Input+u.AudioInput)
	number(`,"cache_creation_input_tokens":`, u.CacheWrite5m+u.CacheWrite1h)
	number(`,"cache_read_input_tokens":`, u.CachedInput)
	number(`,"cache_creation":{"ephemeral_5m_input_tokens":`, u.CacheWrite5m)
	number(`,"ephemeral_1h_input_tokens":`, u.CacheWrite1h)
	number(`},"output_tokens":`, u.Output+u.Reasoning+u.AudioOutput+u.Image)
	if u.Reasoning > 0 {
		number(`,"output_tokens_details":{"thinking_tokens":`, u.Reasoning)
		to = append(to, '}')
	}
	return append(to, '}')
}
