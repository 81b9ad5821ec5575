package convert

import (
	"errors"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// exchange is what every kind of leg needs: both ends, and what was sent.
type exchange struct {
	ask     *dialect.Ask
	peer    Peer
	target  form.Target
	encoded form.Encoded
	// failed tells that the answer turned out to be none before any of it was
	// delivered, so that nothing is to be charged.
	failed bool
	// document is a whole answer, as far as it has come.
	document peer.Document
	// stated is the provider's usage, if it stated one.
	stated   sluice.Usage
	isStated bool
	// isBegun tells that stated holds at least the input.
	isBegun bool
}

// info is what writers add to an answer.
func (e *exchange) info() form.Info {
	i := form.Info{RequestID: e.ask.RequestID, Model: e.ask.Model, InputEstimate: e.ask.InputEstimate}
	if !e.ask.At.IsZero() {
		i.Created = e.ask.At.Unix()
	}
	return i
}

// Request implements [dialect.Leg].
func (e *exchange) Request(call *sluice.Call) error {
	call.Method, call.Stream, call.Replayable = "POST", nil, true
	call.Fields.Reset()
	call.Fields.Add("Content-Type", "application/json")
	accept := "application/json"
	if e.ask.Stream {
		accept = "text/event-stream"
	}
	call.Fields.Add("Accept", accept)
	e.peer.Address(call, e.encoded.Path)
	for _, f := range e.encoded.Fields {
		call.Fields.Set(f.Name, f.Value)
	}
	call.Body = append(call.Body[:0], e.encoded.Body)
	return nil
}

// Outbound implements [dialect.Leg]: the peer is on the network.
func (e *exchange) Outbound() sluice.Outbound { return nil }

// Complete implements [dialect.Completer]: a translated answer is ended by
// Finish, whatever its own protocol said before.
func (e *exchange) Complete() bool { return false }

// Failure implements [dialect.Leg].
func (e *exchange) Failure(h *sluice.RespHead, body []byte) *sluice.Error {
	e.failed = true
	return e.peer.Scrubber().Failure(h, body)
}

// DroppedField is the response field that names the parameters of the client
// that the provider of the model has no equivalent for.
const DroppedField = "X-Sluice-Dropped-Params"

// begin checks a success and sets the client's head.
func (e *exchange) begin(h, out *sluice.RespHead, contentType string, streamed bool) error {
	if err := peer.CheckHead(h, streamed); err != nil {
		e.failed = true
		return err
	}
	out.Status, out.ContentLength = 200, -1
	out.Fields.Reset()
	out.Fields.Add("Content-Type", contentType)
	peer.PassFields(&h.Fields, &out.Fields)
	if len(e.target.Dropped) > 0 {
		out.Fields.Add(DroppedField, strings.Join(e.target.Dropped, ", "))
	}
	return nil
}

// whole returns the document that was gathered.
func (e *exchange) whole() ([]byte, error) { return e.document.Whole(e.peer.Scrubber()) }

// translate turns what a decoder reports into an error for the client.
func (e *exchange) translate(err error) error {
	if err == nil {
		return nil
	}
	var fault *form.Fault
	if errors.As(err, &fault) {
		return e.peer.Scrubber().Embedded(fault.Doc)
	}
	return err
}
