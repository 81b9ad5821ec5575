package openai

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// What pieces are taken to be where nobody states it.
const (
	secondUpper    = 500  // bytes of compressed sound for each second, at the least
	secondUsual    = 8000 // 64 kbit/s
	secondTokens   = 17   // audio tokens that a second is usually read as
	secondMost     = 32
	spokenUsual    = 2 // audio tokens that a character is spoken in
	spokenUpper    = 8
	spokenLeast    = 256
	rankedTogether = 100 // documents that a search unit covers
	rankedChunk    = 500 // tokens from which on a document counts as several
)

// measure is what a request asks for by the piece.
type measure struct {
	picture picture
	// characters are to be spoken.
	characters int64
	// heard is how long recordings likely are, and at the most, in seconds.
	heard, heardUpper int64
	// file tells that there is a recording at all.
	file bool
	// documents are to be ranked, by a query of so many bytes.
	documents, query int64
}

// readPieces measures a JSON body in what its operation is measured in.
func (a *asked) readPieces(found *[memberCount]jsonscan.Value) error {
	body := a.ask.Body
	switch a.endpoint.pieces {
	case pictures:
		for m := jsonscan.Document(body); m.Next(); {
			text, _ := jsonscan.Span(body, m.Value())
			if m.Value().Kind != jsonscan.String {
				text = string(m.Value().In(body))
			}
			if err := a.measure.picture.take(string(m.Key()), text); err != nil {
				return err
			}
		}
	case speech:
		text, ok := jsonscan.Text(body, found[mInput])
		if !ok {
			return invalid(mInput, "must be a string")
		}
		a.measure.characters = int64(utf8.RuneCountInString(text))
	case ranking:
		for m := jsonscan.Document(body); m.Next(); {
			value := m.Value()
			switch string(m.Key()) {
			case "documents":
				for e := value.Elements(body); e.Next(); {
					a.measure.documents++
				}
			case "query":
				a.measure.query += int64(value.End - value.Start)
			}
		}
	}
	return nil
}

// readFile measures a file of a form.
func (a *asked) readFile(s span) {
	if a.endpoint.pieces != recording {
		a.size.images++
		return
	}
	likely, most := heard(a.ask.Body[s.start:s.end])
	a.measure.heard += likely
	a.measure.heardUpper += most
}

// heard is how many seconds a recording lasts, likely and at the most.
func heard(file []byte) (likely, most int64) {
	if likely, most, ok := wavSeconds(file); ok {
		return likely, most
	}
	n := int64(len(file))
	return n/secondUsual + 1, n/secondUpper + 1
}

// bound says what the request uses at the most, of pieces and of the tokens that
// they stand for.
func (a *asked) bound() {
	ask, m := &a.ask, &a.measure
	switch a.endpoint.pieces {
	case pictures:
		ask.Pieces.Images, ask.OutputUpper = ask.Choices, m.picture.tokens()
	case speech:
		// What cannot be spoken is for the provider to refuse.
		ask.Pieces.Characters, ask.OutputUpper = max(m.characters, 1), m.characters*spokenUpper+spokenLeast
	case recording:
		ask.Pieces.AudioSeconds = max(m.heardUpper, 1)
		ask.InputUpper += m.heardUpper * secondMost
		ask.InputEstimate += m.heard * secondTokens
	case ranking:
		// The query is read once more with each document.
		most := m.documents*(1+m.query/rankedChunk) + a.size.text/rankedChunk
		ask.Pieces.SearchUnits, ask.OutputUpper = searches(most), dialect.NoOutput
	}
	if a.endpoint.name == opModerations {
		ask.OutputUpper = dialect.NoOutput
	}
}

// searches is how many search units so many documents are.
func searches(documents int64) int64 {
	return max(1, (documents+rankedTogether-1)/rankedTogether)
}

// picture is how pictures are asked for.
type picture struct{ size, quality, partial string }

// take takes a member of the request by its name.
func (p *picture) take(name, value string) error {
	var to *string
	switch name {
	case "size":
		to = &p.size
	case "quality":
		to = &p.quality
	case "partial_images":
		to = &p.partial
	default:
		return nil
	}
	if *to != "" {
		return sluice.Errorf(sluice.CodeInvalidRequest, "%s is given twice", name).At("/" + name)
	}
	*to = value
	return nil
}

// What a square picture of 1024 pixels is made of, by its quality: the tokens of
// others grow with their area.
const (
	lowTokens     = 272
	mediumTokens  = 1056
	highTokens    = 4160
	partialTokens = 100
	squareArea    = 1024 * 1024
	autoArea      = 1024 * 1536 // the largest that is chosen when none is asked for
	largestArea   = 4096 * 4096 // of a size that cannot be read
	mostPixels    = 16384
	mostPartial   = 16
)

// tokens is how many tokens one such picture has at the most.
func (p *picture) tokens() int64 {
	each := int64(highTokens)
	switch p.quality {
	case "low":
		each = lowTokens
	case "medium":
		each = mediumTokens
	}
	partial, _ := strconv.ParseInt(p.partial, 10, 64) // what is no number is for the provider to refuse
	return (each*p.area()+squareArea-1)/squareArea + partialTokens*min(max(partial, 0), mostPartial)
}

// area is how many pixels such a picture has at the most. Small ones count as the
// square does: their tokens do not become fewer with their area.
func (p *picture) area() int64 {
	switch p.size {
	case "", "auto", "null":
		return autoArea
	}
	w, h, _ := strings.Cut(p.size, "x")
	width, werr := strconv.ParseInt(w, 10, 64)
	height, herr := strconv.ParseInt(h, 10, 64)
	if werr != nil || herr != nil || width <= 0 || height <= 0 {
		return largestArea
	}
	return max(squareArea, min(width, mostPixels)*min(height, mostPixels))
}
