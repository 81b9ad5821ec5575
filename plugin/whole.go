package plugin

import "github.com/sluicegate/sluice"

// DefaultWholeBytes is how much of an answer is gathered when a plugin sets no
// limit of its own.
const DefaultWholeBytes = 1 << 20

// keptWholeBytes is the largest gathering buffer that an idle exchange keeps;
// pooled exchanges must not pin the largest answer each of them ever saw.
const keptWholeBytes = 64 << 10

// Whole is the base of plugins that need the answer's body in one piece: embed
// it and add
//
//	ResolveResponse(x *plugin.Exchange, body []byte) ([]byte, error)
//
// The chain gathers a streamed answer once, however many such plugins it has,
// and calls each with what the one before it returned. body is valid during
// the call and may be returned. While it gathers nothing reaches the client,
// so an error still becomes a proper error answer. An answer beyond the limit
// is [sluice.CodeProviderTooLarge]. Targets are asked not to compress.
type Whole struct {
	// MaxBytes bounds the body; 0 means [DefaultWholeBytes]. The smallest bound
	// in a chain applies.
	MaxBytes int64 `json:"-"`
}

// wholeLimit marks plugins that embed Whole.
func (w Whole) wholeLimit() int64 {
	if w.MaxBytes > 0 {
		return w.MaxBytes
	}
	return DefaultWholeBytes
}

// wholeFilterer is what embedding [Whole] with a ResolveResponse makes.
type wholeFilterer interface {
	ResolveResponse(x *Exchange, body []byte) ([]byte, error)
	wholeLimit() int64
}

// gather keeps a piece for the plugins that need the whole.
func (c *Chain) gather(x *Exchange, e *entry, chunk []byte) error {
	if int64(len(x.whole)+len(chunk)) > c.wholeMax {
		x.whole = nil
		return refuse(e, sluice.Errorf(sluice.CodeProviderTooLarge, "the answer is larger than the %d bytes that plugin %s reads", c.wholeMax, e.Name))
	}
	x.whole = append(x.whole, chunk...)
	return nil
}
