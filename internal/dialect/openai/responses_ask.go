package openai

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/responses"
)

// readResponses reads a body of the Responses API.
func (a *asked) readResponses() (err error) {
	if a.outline, err = responses.Inspect(a.ask.Body); err != nil {
		return err
	}
	o := &a.outline
	a.ask.Model, a.ask.MaxTokens = o.Model, o.MaxTokens
	a.ask.Stream = o.Stream && a.endpoint.streams
	a.ask.NeedsVision, a.ask.NeedsFunctions, a.ask.NeedsToolChoice = o.NeedsVision, o.NeedsFunctions, o.NeedsToolChoice
	a.ask.NeedsFiles, a.ask.NeedsReasoning, a.ask.NeedsSchema = o.NeedsFiles, o.NeedsReasoning, o.NeedsSchema
	a.size = size{text: o.Text, files: o.Files, images: o.Images}
	a.responses = responses.NewFront(a.ask.Body)
	a.ask.Front = a.responses
	return nil
}

var _ dialect.StreamEnder = (*asked)(nil)

// StreamError implements [dialect.StreamEnder]: a stream of the Responses API
// ends with a response that failed, every other one as the surface says.
func (a *asked) StreamError(e *sluice.Error, requestID string) []byte {
	if a.responses == nil {
		return Surface{}.StreamError(e, requestID)
	}
	info := form.Info{RequestID: requestID, Model: a.ask.Model}
	if !a.ask.At.IsZero() {
		info.Created = a.ask.At.Unix()
	}
	doc := renderError(e, requestID)
	return a.responses.Failed(info, jsonscan.Find(doc, jsonscan.At(doc, 0), "error").In(doc))
}
