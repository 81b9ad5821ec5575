package convert

import (
	"io"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// count is the leg of a request that counts tokens: nothing is generated and
// nothing is charged.
type count struct {
	exchange
	// counter is nil when the provider cannot count; then the answer is an
	// estimate and no call is made.
	counter form.Counter
}

var _ dialect.Leg = (*count)(nil)

func openCount(e exchange) (dialect.Leg, error) {
	asked, err := e.ask.Front.Chat()
	if err != nil {
		return nil, err
	}
	l := &count{exchange: e}
	l.counter, _ = l.peer.(form.Counter)
	if l.counter == nil {
		return l, nil
	}
	if l.encoded, err = l.counter.EncodeCount(asked, &l.target); err != nil {
		return nil, err
	}
	return l, nil
}

// Request implements [dialect.Leg].
func (l *count) Request(call *sluice.Call) error {
	if l.counter == nil {
		return nil
	}
	return l.exchange.Request(call)
}

// Outbound implements [dialect.Leg]: an estimate needs no network.
func (l *count) Outbound() sluice.Outbound {
	if l.counter == nil {
		return nowhere{}
	}
	return nil
}

// EstimatedField is the response field that tells that no provider counted.
const EstimatedField = "X-Sluice-Estimated"

// Begin implements [dialect.Leg].
func (l *count) Begin(h, out *sluice.RespHead) error {
	if err := l.begin(h, out, "application/json", false); err != nil {
		return err
	}
	if l.counter == nil {
		out.Fields.Add(EstimatedField, "true")
	}
	return nil
}

// Feed implements [dialect.Leg].
func (l *count) Feed(b []byte) ([]byte, error) { return nil, l.document.Hold(b) }

// Finish implements [dialect.Leg].
func (l *count) Finish() ([]byte, error) {
	if l.counter == nil {
		return l.ask.Front.Count(form.Count{Tokens: l.ask.InputEstimate, Estimated: true}), nil
	}
	doc, err := l.whole()
	if err != nil {
		return nil, err
	}
	n, err := l.counter.DecodeCount(doc)
	if err != nil {
		return nil, l.translate(err)
	}
	return l.ask.Front.Count(form.Count{Tokens: n}), nil
}

// Usage implements [dialect.Leg]: counting uses nothing.
func (*count) Usage() (sluice.Usage, sluice.UsageSource) { return sluice.Usage{}, sluice.UsageNone }

// nowhere answers every call with an empty success.
type nowhere struct{}

// Do implements [sluice.Outbound].
func (nowhere) Do(*sluice.Call) (sluice.Stream, error) {
	return &nothing{head: sluice.RespHead{Status: 200}}, nil
}

// nothing is an empty answer.
type nothing struct{ head sluice.RespHead }

// Head implements [sluice.Stream].
func (n *nothing) Head() *sluice.RespHead { return &n.head }

// Next implements [sluice.Stream].
func (*nothing) Next() ([]byte, error) { return nil, io.EOF }

// Trailers implements [sluice.Stream].
func (*nothing) Trailers() *sluice.Fields { return nil }

// Close implements [sluice.Stream].
func (*nothing) Close() {}
