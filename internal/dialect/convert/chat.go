package convert

import (
	"sync"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

// bytesUsual is the bytes of text for each token, for estimates.
const bytesUsual = 4

// chat is the leg of a conversation. Its memory serves one attempt after the
// other.
type chat struct {
	exchange
	emitter form.Emitter
	decoder form.Decoder
	writer  form.Writer
	// events reads a stream; it is idle when the answer is whole.
	events peer.Events
	// out is what the client gets next; until released it only grows. Why the
	// answer ended is kept back in it until it has.
	out peer.Outbox
	// released tells that content has come, given that some of it was given
	// out.
	released, given bool
	// fault is the error that follows bytes already returned.
	fault error
	// text is how many bytes of output have come.
	text int64
	// takes and reads are the methods of those names, bound once.
	takes func(*form.Event) error
	reads func(*sse.Event, []byte) error
	// room is where requests are written.
	room []byte
}

var (
	_ dialect.Leg      = (*chat)(nil)
	_ dialect.Releaser = (*chat)(nil)
)

// chats are those that no exchange uses.
var chats = sync.Pool{New: func() any {
	c := &chat{}
	c.takes, c.reads = c.take, c.read
	return c
}}

// openChat begins an attempt. Memory of one that fails here is left to the
// collector.
func openChat(e exchange) (dialect.Leg, error) {
	asked, err := e.ask.Front.Chat()
	if err != nil {
		return nil, err
	}
	c := chats.Get().(*chat)
	e.document = c.document // which is empty
	c.exchange = e
	if asked, err = c.able(asked); err != nil {
		return nil, err
	}
	c.target.Room = c.room
	if c.encoded, err = c.peer.EncodeChat(asked, &c.target); err != nil {
		return nil, err
	}
	c.writer = c.ask.Front.Writer(c.info())
	c.emitter.Reset(c.ask.RequestID, c.takes)
	c.decoder = c.peer.Decoder(&c.emitter, &c.target)
	c.events.Reset(c.peer.Scrubber(), c.reads)
	return c, nil
}

// keptRoom is the longest request whose memory an idle leg keeps.
const keptRoom = 16 << 10

// Release implements [dialect.Releaser].
func (c *chat) Release() {
	if body := c.encoded.Body; cap(body) <= keptRoom {
		c.room = body[:0]
	}
	c.document.Reset()
	c.exchange = exchange{document: c.document}
	c.emitter.Reset("", nil)
	c.events.Reset(nil, nil)
	c.out.Reset()
	c.decoder, c.writer, c.fault = nil, nil, nil
	c.released, c.given, c.text = false, false, 0
	chats.Put(c)
}

// read hands an event to the decoder.
func (c *chat) read(ev *sse.Event, data []byte) error { return c.decoder.Event(ev.Name, data) }

// able returns the request without what the model cannot do and can be left out:
// coding tools ask every model to think.
func (c *chat) able(asked *form.Chat) (*form.Chat, error) {
	entry := c.target.Entry
	if entry == nil || entry.SupportsReasoning == nil || *entry.SupportsReasoning || !asked.Reasoning.Stated() || asked.Reasoning.Off() {
		return asked, nil
	}
	without := *asked
	without.Reasoning = form.Reasoning{}
	return &without, c.target.Drop("reasoning", asked.Reasoning.Field)
}

// Begin implements [dialect.Leg].
func (c *chat) Begin(h, out *sluice.RespHead) error {
	if f, ok := c.ask.Front.(form.Forgetter); ok {
		f.Forget()
	}
	return c.begin(h, out, c.writer.ContentType(), c.ask.Stream)
}

// take is where the emitter's events arrive.
func (c *chat) take(ev *form.Event) (err error) {
	switch ev.Kind {
	case form.EventUsage:
		if !peer.Plausible(&ev.Usage) {
			return nil
		}
		c.stated, c.isStated, c.isBegun = ev.Usage, !ev.Partial, true
	case form.EventDelta:
		c.text += int64(len(ev.Text))
	}
	c.released = c.released || ev.Content()
	switch {
	case ev.Kind != form.EventFinish && ev.Content():
		c.out.Release()
	case ev.Kind == form.EventFinish && c.emitter.Finished():
		c.out.Keep()
	}
	c.out.Bytes, err = c.writer.Write(c.out.Bytes, ev)
	return err
}

// Feed implements [dialect.Leg].
func (c *chat) Feed(b []byte) ([]byte, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	c.out.Recycle()
	if c.ask.Stream {
		return c.give(c.events.Push(b))
	}
	return c.give(c.document.Hold(b))
}

// give returns what is ready. What came before a fault is delivered first, but
// for an end that it contradicts.
func (c *chat) give(err error) ([]byte, error) {
	err = c.translate(err)
	var ready []byte
	if c.released {
		ready = c.out.Take()
	}
	if len(ready) > 0 {
		c.given, c.fault = true, err
		return c.peer.Scrubber().Answer(ready), nil
	}
	if err != nil {
		c.failed = !c.given
	}
	return nil, err
}

// Finish implements [dialect.Leg].
func (c *chat) Finish() ([]byte, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	c.out.Recycle()
	if err := c.end(); err != nil {
		// Nobody asks again, so what came with the error goes with it.
		c.failed = !c.given
		return nil, c.translate(err)
	}
	return c.give(nil)
}

func (c *chat) end() (err error) {
	if err = c.rest(); err != nil {
		return err
	}
	if !c.emitter.Finished() {
		return peer.Broken("it ended before it was complete")
	}
	c.out.Release()
	c.released = true
	c.out.Bytes, err = c.writer.End(c.out.Bytes)
	return err
}

// rest reads what is left of the answer.
func (c *chat) rest() error {
	if c.ask.Stream {
		if err := c.events.End(); err != nil {
			return err
		}
		return c.decoder.End()
	}
	doc, err := c.whole()
	if err != nil {
		return err
	}
	return c.decoder.Whole(doc)
}

// Usage implements [dialect.Leg].
func (c *chat) Usage() (sluice.Usage, sluice.UsageSource) {
	switch {
	case c.failed:
		return sluice.Usage{}, sluice.UsageNone
	case c.isStated:
		return c.stated, sluice.UsageProvider
	case c.document.Empty() && !c.events.Begun():
		return sluice.Usage{}, sluice.UsageNone
	}
	u := sluice.Usage{Input: c.ask.InputEstimate}
	if c.isBegun {
		u = c.stated // of the input only
	}
	u.Output = (c.text + bytesUsual - 1) / bytesUsual
	if most := c.ask.MaxTokens * c.ask.Choices; most > 0 {
		u.Output = min(u.Output, most)
	}
	return u, sluice.UsageEstimated
}
