package openai

import (
	"bytes"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// opaque is an answer whose bytes mean nothing to us: sound, subtitles.
type opaque struct {
	leg    *leg
	window window
	bytes  int64
	given  bool
}

// start begins another answer; nil drops the last.
func (o *opaque) start(l *leg) {
	o.window.start(l)
	*o = opaque{leg: l, window: o.window}
}

func (o *opaque) feed(b []byte) ([]byte, error) {
	if o.bytes == 0 && bytes.HasPrefix(bytes.TrimSpace(b), []byte("<")) {
		return nil, peer.Broken("it is a page of markup")
	}
	if o.bytes += int64(len(b)); o.bytes > maxAnswer {
		return nil, tooLarge()
	}
	out := o.window.pass(b)
	o.given = o.given || len(out) > 0
	return out, nil
}

func (o *opaque) finish() ([]byte, error) {
	if o.bytes == 0 {
		return nil, peer.Broken("it is empty")
	}
	o.given = true
	return o.window.rest(), nil
}

func (o *opaque) delivered() bool { return o.given }

func (o *opaque) usage() (sluice.Usage, statement) { return sluice.Usage{}, statement{} }

func (o *opaque) pictures() int64 { return 0 }

// output counts text; how many tokens a recording has only the target knows.
func (o *opaque) output() int64 {
	if o.leg.asked.endpoint.path == "/audio/speech" {
		return 0
	}
	return o.bytes / bytesUsual
}
