package demo

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

// outbound answers calls in process. It is safe for concurrent use.
type outbound struct {
	settings settings
	now      func() time.Time
}

var _ sluice.Outbound = (*outbound)(nil)

// Do implements [sluice.Outbound]. The pause before the first token counts as
// the target's silence: call.FirstByte bounds it.
func (o *outbound) Do(call *sluice.Call) (sluice.Stream, error) {
	if call.Before != nil {
		if err := call.Before(); err != nil {
			return nil, err
		}
	}
	s := &stream{idle: call.Idle, delay: o.settings.delay, stopped: make(chan struct{}), stopper: call.Stopper()}
	s.stopper.Bind(sync.OnceFunc(func() { close(s.stopped) }))
	if s.stopper.Stopped() {
		s.Close()
		return nil, errStopped()
	}
	call.Sent = true
	if err := s.pause(o.settings.firstToken, call.FirstByte); err != nil {
		s.Close()
		return nil, err
	}
	status, pieces, streamed := o.answer(call)
	s.pieces = pieces
	s.head = sluice.RespHead{Status: status, ContentLength: -1}
	if streamed {
		s.head.Fields.Add("Content-Type", "text/event-stream")
	} else {
		s.head.Fields.Add("Content-Type", "application/json")
	}
	return s, nil
}

// answer makes the status and the body, in pieces that are a token each.
func (o *outbound) answer(call *sluice.Call) (status int, pieces func(int) ([]byte, bool), streamed bool) {
	request, err := readRequest(bytes.Join(call.Body, nil))
	if err != nil {
		return 400, once(refusal(err)), false
	}
	a := answerer{request: request, settings: o.settings, created: o.now().Unix()}
	switch {
	case strings.HasSuffix(call.Target, "/embeddings"):
		body, err := a.embeddings()
		if err != nil {
			return 400, once(refusal(err)), false
		}
		return 200, once(body), false
	case strings.HasSuffix(call.Target, "/chat/completions"):
		a.chat = true
	}
	if request.Stream {
		return 200, a.stream(), true
	}
	return 200, a.whole(), false
}

// once is a body of one piece.
func once(body []byte) func(int) ([]byte, bool) {
	return func(i int) ([]byte, bool) { return body, i == 0 }
}

// stream is one answer being given.
type stream struct {
	head        sluice.RespHead
	pieces      func(i int) ([]byte, bool)
	next        int
	delay, idle time.Duration
	stopper     *sluice.Stopper
	stopped     chan struct{}
}

// Head implements [sluice.Stream].
func (s *stream) Head() *sluice.RespHead { return &s.head }

// Next implements [sluice.Stream]: one token, or an empty piece of a whole
// answer that takes as long.
func (s *stream) Next() ([]byte, error) {
	piece, more := s.pieces(s.next)
	if !more {
		return nil, io.EOF
	}
	if s.next > 0 {
		if err := s.pause(s.delay, s.idle); err != nil {
			return nil, err
		}
	}
	s.next++
	return piece, nil
}

// pause waits, unless the call is stopped or the caller's patience ends first.
func (s *stream) pause(d, patience time.Duration) error {
	late := patience > 0 && d > patience
	if late {
		d = patience
	}
	if s.stopper.Stopped() {
		return errStopped()
	}
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.stopped:
			return errStopped()
		}
	}
	if late {
		return sluice.Errorf(sluice.CodeTimeout, "the demo provider is slower than the timeout")
	}
	return nil
}

func errStopped() error {
	return sluice.Errorf(sluice.CodeClientGone, "the call was stopped")
}

// Trailers implements [sluice.Stream]: there are none.
func (*stream) Trailers() *sluice.Fields { return nil }

// Close implements [sluice.Stream].
func (s *stream) Close() { s.stopper.Bind(nil) }
