package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/price"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// formFields is how a form is sent.
const formFields = "Content-Type: multipart/form-data; boundary=XX"

// form renders a form with a file of so many bytes.
func form(bytes int, fields ...string) string {
	var b strings.Builder
	b.WriteString("--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n" + strings.Repeat("S", bytes))
	for _, f := range append(fields, "model=m1") {
		name, value, _ := strings.Cut(f, "=")
		fmt.Fprintf(&b, "\r\n--XX\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s", name, value)
	}
	return b.String() + "\r\n--XX--\r\n"
}

// pieceCase is an operation that is sold by the piece.
type pieceCase struct {
	name, path, body string
	fields           []string
	rates            map[sluice.Unit]sluice.Nanos // for each unit
	answer           sluicetest.Answer
	held, charge     sluice.Nanos
	source           sluice.UsageSource
	pieces           sluice.Pieces
	lines            string // how the cost is explained
}

// pieceCases are all operations that have pieces, by pieces and by tokens.
func pieceCases() []pieceCase {
	const picture = `{"created":1,"data":[{"b64_json":"AA"},{"b64_json":"AA"}]`
	const usage = `,"usage":{"input_tokens":60,"output_tokens":2000,"total_tokens":2060,"input_tokens_details":{"text_tokens":20,"image_tokens":40}}`
	byPicture, bySecond := map[sluice.Unit]sluice.Nanos{sluice.UnitImage: usd(40)}, map[sluice.Unit]sluice.Nanos{sluice.UnitAudioSecond: usd(100)}
	byToken := map[sluice.Unit]sluice.Nanos{sluice.UnitInput: 1_000, sluice.UnitImageInput: 2_000, sluice.UnitImageOutput: 3_000}
	heard := sluice.Pieces{AudioSeconds: 9}
	return []pieceCase{
		{"pictures that are counted", "/v1/images/generations", `{"model":"m1","prompt":"a cat","n":3}`, nil, byPicture,
			sluicetest.JSON(200, picture+`}`), usd(120), usd(80), sluice.UsageEstimated, sluice.Pieces{Images: 2}, "image=2"},
		{"pictures with stated tokens", "/v1/images/generations", `{"model":"m1","prompt":"a cat","n":2}`, nil, byPicture,
			sluicetest.JSON(200, picture+usage+`}`), usd(80), usd(80), sluice.UsageProvider, sluice.Pieces{Images: 2}, "image=2"},
		{"pictures by the token", "/v1/images/edits", form(10, "n=2", "size=1024x1024", "quality=medium"), []string{formFields}, byToken,
			sluicetest.JSON(200, picture+usage+`}`), 0, 20*1_000 + 40*2_000 + 2000*3_000, sluice.UsageProvider, sluice.Pieces{Images: 2}, "input=20 image_input=40 image_output=2000"},
		{"pictures with a cap that is none", "/v1/images/generations", `{"model":"m1","prompt":"a cat","n":2,"max_tokens":1,"quality":"low","size":"1024x1024"}`, nil, map[sluice.Unit]sluice.Nanos{sluice.UnitInput: 1, sluice.UnitImageOutput: usd(1)},
			sluicetest.JSON(200, picture+`,"usage":{"input_tokens":0,"output_tokens":544}}`), 0, usd(544), sluice.UsageProvider, sluice.Pieces{Images: 2}, "image_output=544"},
		{"speech with a cap that is none", "/v1/audio/speech", `{"model":"m1","input":"grüß dich","voice":"alloy","max_tokens":1}`, nil, map[sluice.Unit]sluice.Nanos{sluice.UnitInput: 1, sluice.UnitAudioOutput: usd(1)},
			sluicetest.Whole(200, "audio/mpeg", "ID3 some sound"), 0, usd(18) + 17, sluice.UsageEstimated, sluice.Pieces{Characters: 9}, "input=17 audio_output=18"},
		{"a stream of pictures", "/v1/images/generations", `{"model":"m1","prompt":"a cat","stream":true,"partial_images":1}`, nil, byPicture,
			sluicetest.SSE(0, `{"type":"image_generation.partial_image","b64_json":"AA"}`, `{"type":"image_generation.completed","b64_json":"AA","usage":{"input_tokens":50,"output_tokens":90}}`),
			usd(40), usd(40), sluice.UsageProvider, sluice.Pieces{Images: 1}, "image=1"},
		{"speech by the character", "/v1/audio/speech", `{"model":"m1","input":"grüß dich","voice":"alloy"}`, nil, map[sluice.Unit]sluice.Nanos{sluice.UnitCharacter: usd(15)},
			sluicetest.Whole(200, "audio/mpeg", "ID3 some sound"), usd(135), usd(135), sluice.UsageEstimated, sluice.Pieces{Characters: 9}, "character=9"},
		{"a transcript that states seconds", "/v1/audio/transcriptions", form(9_000), []string{formFields}, bySecond,
			sluicetest.JSON(200, `{"text":"hi","usage":{"type":"duration","seconds":8.2}}`), usd(1900), usd(900), sluice.UsageEstimated, heard, "audio_second=9"},
		{"a transcript that states a duration", "/v1/audio/translations", form(9_000, "response_format=verbose_json"), []string{formFields}, bySecond,
			sluicetest.JSON(200, `{"text":"hi","duration":9.0}`), usd(1900), usd(900), sluice.UsageEstimated, heard, "audio_second=9"},
		{"a transcript as text", "/v1/audio/transcriptions", form(65_000, "response_format=text"), []string{formFields}, bySecond,
			sluicetest.Whole(200, "text/plain", "hello there"), usd(13_100), usd(900), sluice.UsageEstimated, heard, "audio_second=9"},
		{"a transcript by the token", "/v1/audio/transcriptions", form(9_000), []string{formFields}, map[sluice.Unit]sluice.Nanos{sluice.UnitInput: 1_000, sluice.UnitAudioInput: 4_000, sluice.UnitOutput: 3_000},
			sluicetest.JSON(200, `{"text":"hi","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":5}}`),
			0, 4*1_000 + 10*4_000 + 5*3_000, sluice.UsageEstimated, sluice.Pieces{AudioSeconds: 2}, "input=4 output=5 audio_input=10"},
		{"a ranking by its searches", "/v1/rerank", `{"model":"m1","query":"q","documents":["a","b"]}`, nil, map[sluice.Unit]sluice.Nanos{sluice.UnitRequest: usd(2000)},
			sluicetest.JSON(200, `{"results":[],"meta":{"billed_units":{"search_units":1}}}`), usd(2000), usd(2000), sluice.UsageEstimated, sluice.Pieces{SearchUnits: 1}, "request=1"},
		{"moderation by the request", "/v1/moderations", `{"model":"m1","input":"x"}`, nil, map[sluice.Unit]sluice.Nanos{sluice.UnitRequest: usd(3)},
			sluicetest.JSON(200, `{"id":"1","results":[{"flagged":false}]}`), usd(3), usd(3), sluice.UsageEstimated, sluice.Pieces{}, "request=1"},
	}
}

// Pictures, seconds, characters or searches would be held for, charged or
// explained in another way than they are sold.
func TestPiecesAreCharged(t *testing.T) { onEveryTransport(t, testPiecesAreCharged) }

func testPiecesAreCharged(t *testing.T, over transport) {
	for _, c := range pieceCases() {
		t.Run(c.name, func(t *testing.T) {
			m := newMoney(t, over, setting{})
			m.topUp(acme, usd(1_000_000))
			m.snap.Prices = []sluice.Price{m1Price(1, func(p *sluice.Price) {
				p.Rates = map[sluice.Unit]sluice.Rate{}
				for unit, each := range c.rates {
					p.Rates[unit] = sluice.Rate(each) * 1_000_000
				}
			})}
			m.apply()
			m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
				m.till.add(sale{input: int64(c.charge)})
				c.answer(w, r)
			})
			a := m.do("POST", c.path, c.body, c.fields...)
			if a.status != 200 || a.err != nil {
				t.Fatalf("%d %s %v", a.status, a.body, a.err)
			}
			s := m.only()
			if s.hold.Amount < s.final.Charge || c.held > 0 && s.hold.Amount != c.held {
				t.Errorf("held %s, charged %s; to be held %s", s.hold.Amount, s.final.Charge, c.held)
			}
			m.exactly(func(s sale) sluice.Nanos { return sluice.Nanos(s.input) })
			r, err := m.db.Record(context.Background(), a.header.Get("X-Request-Id"))
			if err != nil || r.Usage.Pieces != c.pieces || r.UsageSource != c.source || r.Unpriced {
				t.Errorf("record %+v, %v", r, err)
			}
			if got := explained(t, m.snap.Prices, r); got != c.lines {
				t.Errorf("explained as %q, want %q", got, c.lines)
			}
			rows, err := m.db.Usage(context.Background(), sluice.UsageQuery{})
			if err != nil || len(rows) != 1 || rows[0].Usage != r.Usage {
				t.Errorf("reported as %+v, %v", rows, err)
			}
		})
	}
}

// explained lists the lines by which a record's cost is explained, and checks
// that they add up.
func explained(t *testing.T, prices []sluice.Price, r sluice.Record) string {
	t.Helper()
	b, err := price.NewBook(prices)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := b.Version(r.Price.Version)
	var lines []string
	sum := sluice.Nanos(0)
	for _, l := range price.ExplainRecord(r, v).Lines {
		lines = append(lines, fmt.Sprintf("%s=%d", l.Unit, l.Quantity))
		sum += l.Amount
	}
	if sum != r.Cost.Amount {
		t.Errorf("the lines come to %s, the cost is %s", sum, r.Cost.Amount)
	}
	return strings.Join(lines, " ")
}

// A request that its model's price does not measure would be served, and be free.
func TestWhatIsNotMeasuredIsRefused(t *testing.T) {
	onEveryTransport(t, testWhatIsNotMeasuredIsRefused)
}

func testWhatIsNotMeasuredIsRefused(t *testing.T, over transport) {
	m := newMoney(t, over, setting{})
	m.topUp(acme, usd(1_000_000))
	for _, unit := range []sluice.Unit{sluice.UnitImage, sluice.UnitAudioSecond, sluice.UnitCharacter} {
		m.snap.Prices = []sluice.Price{m1Price(1+uint64(unit), func(p *sluice.Price) {
			p.Rates = map[sluice.Unit]sluice.Rate{unit: sluice.Rate(usd(1)) * 1_000_000}
		})}
		m.apply()
		for path, c := range map[string]struct {
			sold sluice.Unit
			body string
			form bool
		}{
			"/v1/chat/completions":     {sluice.UnitRequest, chatBody("m1", ""), false},
			"/v1/embeddings":           {sluice.UnitRequest, `{"model":"m1","input":"x"}`, false},
			"/v1/rerank":               {sluice.UnitRequest, `{"model":"m1","query":"q","documents":["a"]}`, false},
			"/v1/images/generations":   {sluice.UnitImage, `{"model":"m1","prompt":"x"}`, false},
			"/v1/audio/speech":         {sluice.UnitCharacter, `{"model":"m1","input":"x"}`, false},
			"/v1/audio/transcriptions": {sluice.UnitAudioSecond, form(1), true},
		} {
			if c.sold == unit {
				continue
			}
			var fields []string
			if c.form {
				fields = []string{formFields}
			}
			if a := m.do("POST", path, c.body, fields...); a.status != 403 || a.errorCode() != sluice.CodeNoPrice {
				t.Errorf("%s by %s: %d %s", path, unit, a.status, a.body)
			}
		}
	}
	m.settled()
	if n := len(m.up.Requests()); n > 0 || len(m.entries()) > 0 {
		t.Errorf("%d calls, %d entries", n, len(m.entries()))
	}
}
