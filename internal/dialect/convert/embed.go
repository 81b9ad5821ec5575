package convert

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// embed is the leg of a request for embeddings.
type embed struct {
	exchange
	embedder form.Embedder
	inputs   int
}

var _ dialect.Leg = (*embed)(nil)

func openEmbed(e exchange, account dialect.Account) (dialect.Leg, error) {
	embedder, ok := e.peer.(form.Embedder)
	if !ok {
		return nil, unsupported(e.ask, account)
	}
	asked, err := e.ask.Front.Embed()
	if err != nil {
		return nil, err
	}
	l := &embed{exchange: e, embedder: embedder, inputs: len(asked.Inputs)}
	if l.encoded, err = embedder.EncodeEmbed(asked, &l.target); err != nil {
		return nil, err
	}
	return l, nil
}

// Begin implements [dialect.Leg].
func (l *embed) Begin(h, out *sluice.RespHead) error {
	return l.begin(h, out, "application/json", false)
}

// Feed implements [dialect.Leg].
func (l *embed) Feed(b []byte) ([]byte, error) {
	if err := l.document.Hold(b); err != nil {
		l.failed = true
		return nil, err
	}
	return nil, nil
}

// Finish implements [dialect.Leg].
func (l *embed) Finish() ([]byte, error) {
	out, err := l.answer()
	l.failed = err != nil
	return out, err
}

func (l *embed) answer() ([]byte, error) {
	doc, err := l.whole()
	if err != nil {
		return nil, err
	}
	found, err := l.embedder.DecodeEmbed(doc)
	if err != nil {
		return nil, l.translate(err)
	}
	if len(found.Vectors) != l.inputs {
		return nil, peer.Broken("it does not hold one vector for each input")
	}
	if found.Stated && peer.Plausible(&found.Usage) {
		l.stated, l.isStated = found.Usage, true
	} else {
		found.Usage = sluice.Usage{Input: l.ask.InputEstimate}
	}
	return l.ask.Front.Embeddings(l.info(), found)
}

// Usage implements [dialect.Leg].
func (l *embed) Usage() (sluice.Usage, sluice.UsageSource) {
	switch {
	case l.failed || l.document.Empty():
		return sluice.Usage{}, sluice.UsageNone
	case l.isStated:
		return l.stated, sluice.UsageProvider
	}
	return sluice.Usage{Input: l.ask.InputEstimate}, sluice.UsageEstimated
}
