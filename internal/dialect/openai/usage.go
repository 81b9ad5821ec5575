package openai

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// mostTokens is the most that one answer can plausibly state; more is taken for
// a fault of the target, not for a bill.
const mostTokens = 1_000_000_000

// stated is a usage object as targets write it, before it is made disjoint. The
// names of chat, of the newer image and audio APIs, and of DeepSeek and Moonshot
// all end here.
type stated struct {
	input, output, total          number
	cached, written, audioIn      number
	reasoning, audioOut, imageOut number
	textOut, imageIn              number
	seconds                       number
}

// number is a count and whether it was there and sound.
type number struct {
	n       int64
	set     bool
	invalid bool
}

// take reads a count; null counts as absent.
func (x *number) take(doc []byte, v jsonscan.Value) {
	if v.Kind == jsonscan.Null {
		return
	}
	n, ok := jsonscan.Int(doc, v)
	if !ok || n < 0 || n > mostTokens {
		*x = number{invalid: true}
		return
	}
	*x = number{n: n, set: true}
}

// statement says what of a usage was stated, be it 0.
type statement struct{ tokens, seconds, searches bool }

// any reports whether anything was stated.
func (s statement) any() bool { return s != statement{} }

// parseUsage reads the text of a usage object. images tells that the output is
// pictures unless its details say otherwise. ok is false when it states nothing
// that can be believed.
func parseUsage(doc []byte, images bool) (u sluice.Usage, ok bool) {
	u, said := readUsage(doc, images)
	return u, said.any()
}

// readUsage is parseUsage for those who need to know what was stated.
func readUsage(doc []byte, images bool) (sluice.Usage, statement) {
	s := stated{}
	members := jsonscan.Document(doc)
	for members.Next() {
		s.member(doc, string(members.Key()), members.Value())
	}
	if members.Err() != nil || s.input.invalid || s.output.invalid {
		return sluice.Usage{}, statement{}
	}
	said := statement{tokens: s.input.set || s.output.set || s.total.set, seconds: s.seconds.set}
	if !said.any() {
		return sluice.Usage{}, said
	}
	if !s.input.set && !s.output.set {
		s.input = s.total
	}
	return s.disjoint(images), said
}

// member takes one member of the usage object.
func (s *stated) member(doc []byte, name string, v jsonscan.Value) {
	switch name {
	case "prompt_tokens", "input_tokens":
		s.input.take(doc, v)
	case "completion_tokens", "output_tokens":
		s.output.take(doc, v)
	case "total_tokens":
		s.total.take(doc, v)
	case "seconds":
		if n, ok := seconds(doc, v); ok {
			s.seconds = number{n: n, set: true}
		}
	case "prompt_cache_hit_tokens", "cached_tokens":
		// The details, where there are any, say it better.
		if !s.cached.set {
			s.cached.take(doc, v)
		}
	case "prompt_tokens_details", "input_tokens_details", "input_token_details":
		s.inputDetails(doc, v)
	case "completion_tokens_details", "output_tokens_details", "output_token_details":
		s.outputDetails(doc, v)
	}
}

func (s *stated) inputDetails(doc []byte, v jsonscan.Value) {
	for m := v.Members(doc); m.Next(); {
		switch string(m.Key()) {
		case "cached_tokens":
			s.cached.take(doc, m.Value())
		case "cache_write_tokens":
			s.written.take(doc, m.Value())
		case "audio_tokens":
			s.audioIn.take(doc, m.Value())
		case "image_tokens":
			s.imageIn.take(doc, m.Value())
		}
	}
}

func (s *stated) outputDetails(doc []byte, v jsonscan.Value) {
	for m := v.Members(doc); m.Next(); {
		switch string(m.Key()) {
		case "reasoning_tokens":
			s.reasoning.take(doc, m.Value())
		case "audio_tokens":
			s.audioOut.take(doc, m.Value())
		case "image_tokens":
			s.imageOut.take(doc, m.Value())
		case "text_tokens":
			s.textOut.take(doc, m.Value())
		}
	}
}

// disjoint splits the sums into classes. OpenAI's details are subsets of the
// sums, so each class is taken out of what is left of its sum: no token is
// counted twice, and the classes add up to what was stated, whatever the
// details claim.
func (s *stated) disjoint(images bool) sluice.Usage {
	var u sluice.Usage
	u.Input = s.input.n
	u.CachedInput = take(&u.Input, s.cached.n)
	u.CacheWrite5m = take(&u.Input, s.written.n)
	u.AudioInput = take(&u.Input, s.audioIn.n)
	u.AudioSeconds = s.seconds.n
	u.Output = s.output.n
	u.Reasoning = take(&u.Output, s.reasoning.n)
	u.AudioOutput = take(&u.Output, s.audioOut.n)
	if images { // elsewhere what is read costs the same, whatever it is
		u.ImageInput = take(&u.Input, s.imageIn.n)
	}
	switch {
	case s.imageOut.set:
		u.Image = take(&u.Output, s.imageOut.n)
	case images:
		u.Image = take(&u.Output, u.Output-min(u.Output, s.textOut.n))
	}
	return u
}

// take moves up to n out of from and returns how much.
func take(from *int64, n int64) int64 {
	n = min(n, *from)
	*from -= n
	return n
}
