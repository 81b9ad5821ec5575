package openai

import (
	"bytes"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// pieces completes the usage of an answer that is measured in more than tokens:
// by what the target stated, else by what was asked for and what came. The tokens
// of pieces that are not stated are estimated from them, for prices by the token.
// What was asked for and what came is known; where anything else had to be filled
// in, all of it is an estimate.
func (l *leg) pieces(u sluice.Usage, said statement) (sluice.Usage, sluice.UsageSource) {
	a := l.asked
	known := said.tokens
	if !said.tokens {
		u = sluice.Usage{Input: a.ask.InputEstimate, Pieces: u.Pieces}
	}
	switch a.endpoint.pieces {
	case pictures:
		u.Images = l.answer.pictures()
		if !said.tokens {
			u.Image = u.Images * a.ask.OutputUpper
		}
	case speech:
		u.Characters = a.measure.characters
		u.AudioOutput, u.Output = u.AudioOutput+u.Output, 0 // all that comes is sound
		if !said.tokens {
			u.AudioOutput = u.Characters * spokenUsual
		}
	case recording:
		if !said.seconds {
			u.AudioSeconds = a.measure.heard
		}
		if !said.tokens {
			u.Input, u.AudioInput, u.Output = 0, u.AudioSeconds*secondTokens, l.answer.output()
		}
		known = known && said.seconds
	case ranking:
		if !said.searches {
			u.SearchUnits = searches(a.measure.documents)
		}
		known = known && said.searches
	}
	if !known {
		return u, sluice.UsageEstimated
	}
	return u, sluice.UsageProvider
}

// seconds reads a duration as a JSON number, in begun seconds. It is read as text:
// fractions need no floats.
func seconds(doc []byte, v jsonscan.Value) (n int64, ok bool) {
	if v.Kind != jsonscan.Number {
		return 0, false
	}
	whole, fraction, _ := bytes.Cut(v.In(doc), []byte("."))
	for _, c := range whole {
		if c < '0' || c > '9' || n > mostTokens {
			return 0, false // negative, absurd, or with an exponent, which nobody writes
		}
		n = 10*n + int64(c-'0')
	}
	begun := int64(0)
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, false
		}
		if c != '0' {
			begun = 1
		}
	}
	return n + begun, n+begun <= mostTokens
}

// searchUnits reads what a ranking is billed as (Cohere's meta.billed_units).
func searchUnits(meta []byte) (int64, bool) {
	billed := jsonscan.Find(meta, jsonscan.At(meta, 0), "billed_units")
	if billed.Kind != jsonscan.Object {
		return 0, false
	}
	var n number
	n.take(meta, jsonscan.Find(meta, billed, "search_units"))
	return n.n, n.set
}
