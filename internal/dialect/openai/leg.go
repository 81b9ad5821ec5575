package openai

import (
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// leg is one attempt. What comes back is one of three kinds of answer: a JSON
// document, a stream of events, or bytes that mean nothing to us (audio, text).
// Its memory, and that of the answers, serves one attempt after the other.
type leg struct {
	asked   *asked
	plan    *plan
	account dialect.Account
	// answer is set by Begin to one of those behind it.
	answer   answer
	document document
	events   events
	opaque   opaque
	// failed tells that the answer turned out to be none before a byte of it
	// was delivered, so that nothing is to be charged.
	failed bool
	// length is how long the client was told the answer is, -1 when it was not;
	// sent is how much of it was returned.
	length, sent int64
}

var (
	_ dialect.Leg       = (*leg)(nil)
	_ dialect.Completer = (*leg)(nil)
)

// answer is one kind of success, read in pieces. Both methods return bytes or
// an error, never both.
type answer interface {
	feed(b []byte) ([]byte, error)
	finish() ([]byte, error)
	// delivered reports whether feed or finish has returned bytes.
	delivered() bool
	// usage is what the target stated, and what that is.
	usage() (sluice.Usage, statement)
	// output estimates the tokens of what has come so far.
	output() int64
	// pictures counts the images that have come so far.
	pictures() int64
}

// start begins an attempt.
func (l *leg) start(a *asked, p *plan, account dialect.Account) {
	l.asked, l.plan, l.account, l.answer, l.failed = a, p, account, nil, false
	l.length, l.sent = -1, 0
}

// drop forgets what belongs to an exchange.
func (l *leg) drop() {
	l.start(nil, nil, dialect.Account{})
	l.document.start(nil)
	l.events.start(nil)
	l.opaque.start(nil)
}

// scrubber removes what would tell which account answered.
func (l *leg) scrubber() *peer.Scrubber { return &l.plan.scrub }

// Outbound implements [dialect.Leg]: targets of this family are on the network.
func (l *leg) Outbound() sluice.Outbound { return nil }

// Begin implements [dialect.Leg].
func (l *leg) Begin(h *sluice.RespHead, out *sluice.RespHead) error {
	if h.Status < 200 || h.Status > 299 || h.Status == 204 || h.Status == 205 {
		l.failed = true
		return peer.Broken("its status is not that of an answer").With("provider_status", h.Status)
	}
	if coding := h.Fields.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		l.failed = true
		return peer.Broken("it is compressed, which was not asked for")
	}
	contentType, err := l.choose(peer.MediaType(h.Fields.Get("Content-Type")))
	if err != nil {
		l.failed = true
		return err
	}
	out.Status, out.ContentLength = 200, h.ContentLength
	if _, streamed := l.answer.(*events); streamed {
		out.ContentLength = -1
	}
	l.length = out.ContentLength
	out.Fields.Reset()
	out.Fields.Add("Content-Type", contentType)
	peer.PassFields(&h.Fields, &out.Fields)
	return nil
}

// choose picks the kind of answer from what was asked for and from what the
// target says it sends, and returns the content type for the client.
func (l *leg) choose(kind string) (contentType string, err error) {
	ask := &l.asked.ask
	switch {
	case kind == "text/html", kind == "text/xml", kind == "application/xml":
		return "", peer.Broken("it is " + kind)
	case ask.Stream:
		l.events.start(l)
		l.answer = &l.events
		return "text/event-stream", nil
	case kind == "text/event-stream":
		return "", peer.Broken("it is a stream, which was not asked for")
	case l.asked.endpoint.binary && kind != "application/json":
		if !playable(kind) {
			return "", peer.Broken("its content type cannot be that of this operation")
		}
		l.opaque.start(l)
		l.answer = &l.opaque
		return kind, nil
	case l.asked.endpoint.path == "/audio/speech":
		return "", peer.Broken("it is JSON, not sound")
	}
	l.document.start(l)
	l.answer = &l.document
	return "application/json", nil
}

// playable reports whether a content type can be a recording or a transcript.
func playable(kind string) bool {
	switch kind {
	case "application/octet-stream", "application/x-subrip", "text/plain", "text/vtt", "text/srt", "application/ogg", "video/mp4":
		return true
	}
	return strings.HasPrefix(kind, "audio/")
}

// Feed implements [dialect.Leg].
func (l *leg) Feed(b []byte) ([]byte, error) {
	out, err := l.answer.feed(b)
	return l.deliver(out, err)
}

// Finish implements [dialect.Leg].
func (l *leg) Finish() ([]byte, error) {
	out, err := l.answer.finish()
	return l.deliver(out, err)
}

func (l *leg) deliver(out []byte, err error) ([]byte, error) {
	if err != nil {
		l.failed = !l.answer.delivered()
		return nil, err
	}
	l.sent += int64(len(out))
	return out, nil
}

// Complete implements [dialect.Completer]: a stream says that it is done, and of
// an answer of stated length the client knows itself.
func (l *leg) Complete() bool {
	if l.answer == &l.events {
		return l.events.complete()
	}
	return l.length > 0 && l.sent >= l.length
}

// Usage implements [dialect.Leg].
func (l *leg) Usage() (sluice.Usage, sluice.UsageSource) {
	if l.answer == nil || l.failed {
		return sluice.Usage{}, sluice.UsageNone
	}
	u, said := l.answer.usage()
	if l.asked.endpoint.pieces != noPieces {
		return l.pieces(u, said)
	}
	if said.any() {
		return u, sluice.UsageProvider
	}
	ask := &l.asked.ask
	u = sluice.Usage{Input: ask.InputEstimate, Output: l.answer.output()}
	if most := ask.MaxTokens * ask.Choices; most > 0 {
		u.Output = min(u.Output, most)
	}
	return u, sluice.UsageEstimated
}
