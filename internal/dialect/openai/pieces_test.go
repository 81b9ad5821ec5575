package openai_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// wave is a WAVE file of so many bytes of samples; stated is what it says of
// them.
func wave(format, channels uint16, rate uint32, bits uint16, samples int, stated uint32) []byte {
	b := riff(block("LIST", []byte("abc\x00")), block("fmt ", encoding(format, channels, rate, bits)))
	b = binary.LittleEndian.AppendUint32(append(b, "data"...), stated)
	return append(b, make([]byte, samples)...)
}

// riff is a WAVE file of these chunks.
func riff(chunks ...[]byte) []byte {
	return append([]byte("RIFF\x00\x00\x00\x00WAVE"), bytes.Join(chunks, nil)...)
}

// block is one chunk of even length.
func block(name string, data []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(data))), data...)
}

// encoding is what a format chunk holds; more is what follows in longer ones.
func encoding(format, channels uint16, rate uint32, bits uint16, more ...byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, format)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, 1) // the sum, which nobody has to believe
	b = binary.LittleEndian.AppendUint16(b, 1)
	return append(binary.LittleEndian.AppendUint16(b, bits), more...)
}

// extension is what the extensible format adds: how many bits of a sample count,
// and its encoding, with the tail that all of WAVE's have.
func extension(valid, format byte, tail string) []byte {
	return append([]byte{22, 0, valid, 0, 4, 0, 0, 0, format, 0}, tail...)
}

// waveTail is the tail of those encodings.
const waveTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71"

// forged are files of 600 seconds, at 16 kHz and in 16 bits, whose headers would
// have them be shorter; and how many seconds they are to be held and charged as.
func forged() map[string]recorded {
	const second = 16000 * 2
	sound := make([]byte, 600*second)
	plain := encoding(1, 1, 16000, 16)
	file := func(chunks ...[]byte) []byte { return riff(append(chunks, block("data", sound))...) }
	unread := func(file []byte) recorded {
		return recorded{file, int64(len(file))/8000 + 1, int64(len(file))/500 + 1}
	}
	return map[string]recorded{
		"a second format":          unread(file(block("fmt ", plain), block("fmt ", encoding(1, 64, 9600, 64)))),
		"a format behind":          unread(append(riff(block("fmt ", encoding(1, 64, 9600, 64)), block("data", []byte{1, 2})), file(block("fmt ", plain))[12:]...)),
		"A-law of 512 bytes":       {file(block("fmt ", encoding(6, 1, 16000, 4096))), 1200, 1200},
		"mu-law of 2 bytes":        {file(block("fmt ", encoding(7, 1, 16000, 16))), 1200, 1200},
		"samples of 9 bytes":       unread(file(block("fmt ", encoding(1, 1, 16000, 72)))),
		"extensible without more":  unread(file(block("fmt ", encoding(0xFFFE, 64, 9600, 64)))),
		"extensible, cut off":      unread(riff(append([]byte("fmt \x10\x00\x00\x00"), encoding(0xFFFE, 64, 9600, 64)...), block("data", append(extension(64, 1, waveTail), sound...)))),
		"extensible of MP3":        unread(file(block("fmt ", encoding(0xFFFE, 64, 9600, 64, extension(64, 0x55, waveTail)...)))),
		"extensible of nothing":    unread(file(block("fmt ", encoding(0xFFFE, 64, 9600, 64, extension(64, 1, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x72")...)))),
		"extensible, fewer bits":   {file(block("fmt ", encoding(0xFFFE, 1, 16000, 64, extension(16, 1, waveTail)...))), 600, 600},
		"extensible A-law":         {file(block("fmt ", encoding(0xFFFE, 1, 16000, 64, extension(64, 6, waveTail)...))), 1200, 1200},
		"a little sound in front":  {file(block("fmt ", plain), block("data", []byte{1, 2})), 601, 601},
		"an odd piece in front":    {file(block("fmt ", plain), []byte("data\x01\x00\x00\x00\x01")), 601, 601},
		"sound behind other chunk": {file(block("fmt ", plain), block("data", []byte{1, 2}), block("LIST", []byte("ab"))), 601, 601},
	}
}

// recorded is a file, and how many seconds it is charged and held as.
type recorded struct {
	file         []byte
	likely, most int64
}

// transcript is the form that asks for the transcript of a file.
func transcript(file []byte) []byte {
	var body bytes.Buffer
	body.WriteString("--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n")
	body.Write(file)
	body.WriteString("\r\n--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--XX--\r\n")
	return body.Bytes()
}

// transcribe asks for what a form asks for.
func transcribe(t testing.TB, body []byte) (*dialect.Ask, error) {
	t.Helper()
	head := sluice.Head{Method: "POST", Path: "/v1/audio/transcriptions"}
	head.Fields.Add("Content-Type", "multipart/form-data; boundary=XX")
	op, err := openai.Surface{}.Operation("POST", head.Path)
	if err != nil {
		t.Fatal(err)
	}
	return openai.Surface{}.Ask(op, &head, body)
}

// answered is the usage of an answer to an ask.
func answered(t testing.TB, ask *dialect.Ask, contentType string, pieces ...string) (sluice.Usage, sluice.UsageSource) {
	t.Helper()
	leg := openLeg(t, ask, contentType)
	for _, p := range pieces {
		if _, err := leg.Feed([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	return leg.Usage()
}

func openLeg(t testing.TB, ask *dialect.Ask, contentType string) dialect.Leg {
	t.Helper()
	s := script{provider: sluice.Provider{Type: "openai", APIKey: "sk-test-credential-1"}}
	leg, err := open(s, ask)
	if err != nil {
		t.Fatal(err)
	}
	head := sluice.RespHead{Status: 200, ContentLength: -1}
	head.Fields.Add("Content-Type", contentType)
	if err := leg.Begin(&head, &sluice.RespHead{}); err != nil {
		t.Fatal(err)
	}
	return leg
}

// The length of a recording would be guessed where its header tells it, or a
// forged header make a long one cheap.
func TestRecordingsAreMeasured(t *testing.T) {
	const second = 16000 * 2
	cases := map[string]recorded{
		"plain":            {wave(1, 1, 16000, 16, 9*second, 9*second), 9, 9},
		"a second begun":   {wave(1, 1, 16000, 16, 9*second+2, 9*second+2), 10, 10},
		"stereo float":     {wave(3, 2, 48000, 32, 4*48000*8, 4*48000*8), 4, 4},
		"A-law":            {wave(6, 1, 8000, 8, 8000*7, 8000*7), 7, 7},
		"as a stream":      {wave(1, 1, 16000, 16, 5*second, 0xFFFFFFFF), 5, 5},
		"states too few":   {wave(1, 1, 16000, 16, 8*second, second), 1, 8},
		"compressed":       {wave(0x55, 1, 16000, 0, 16000, 16000), 3, 33},
		"an absurd rate":   {wave(1, 64, 4_000_000_000, 16, 16000, 16000), 3, 33},
		"no sound at all":  {wave(1, 1, 0, 16, 16000, 16000), 3, 33},
		"cut off in front": {[]byte("RIFF\x00\x00\x00\x00WAVEfmt \xff\xff\xff\xff"), 1, 1},
		"not a recording":  {bytes.Repeat([]byte("x"), 24_000), 4, 49},
		"extensible":       {riff(block("fmt ", encoding(0xFFFE, 1, 16000, 16, extension(16, 1, waveTail)...)), block("data", make([]byte, 3*second))), 3, 3},
		"a name behind":    {append(wave(1, 1, 16000, 16, 2*second, 2*second), block("LIST", make([]byte, second))...), 2, 4},
	}
	maps.Copy(cases, forged())
	for name, c := range cases {
		ask, err := transcribe(t, transcript(c.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		usage, source := answered(t, ask, "text/plain", "hello")
		if ask.Pieces.AudioSeconds != c.most || usage.AudioSeconds != c.likely || source != sluice.UsageEstimated {
			t.Errorf("%s: at most %d, then %d (%s); want %d, %d", name, ask.Pieces.AudioSeconds, usage.AudioSeconds, source, c.most, c.likely)
		}
	}
}

// Pictures in an answer that is too large to be held back would not be counted.
func TestPicturesOfLargeAnswers(t *testing.T) {
	head := sluice.Head{Method: "POST", Path: "/v1/images/generations"}
	head.Fields.Add("Content-Type", "application/json")
	op, _ := openai.Surface{}.Operation("POST", head.Path)
	ask, err := openai.Surface{}.Ask(op, &head, []byte(`{"model":"gpt-image-1","prompt":"a cat","n":4,"size":"1024x1024","quality":"low"}`))
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("A", 200<<10)
	one := fmt.Sprintf(`{"b64_json":%q,"tags":[1,[2,3]]}`, large)
	usage, source := answered(t, ask, "application/json", `{"created":1,"other":[1,2,3,4,5],"data":[`+one+",", one, ","+one+`],"usage":{"input_tokens":7,"output_tokens":816}}`)
	if want := (sluice.Usage{Input: 7, Image: 816, Pieces: sluice.Pieces{Images: 3}}); usage != want || source != sluice.UsageProvider {
		t.Errorf("%+v %s", usage, source)
	}
	usage, source = answered(t, ask, "application/json", `{"created":1,"data":[`+one+",", one+`,{"b64_js`)
	if usage.Images != 3 || usage.Image != 3*272 || source != sluice.UsageEstimated {
		t.Errorf("broken off: %+v %s", usage, source)
	}
}

// FuzzRecording looks for a file that no length can be given, or one whose length
// is above its bound.
func FuzzRecording(f *testing.F) {
	f.Add(wave(1, 1, 16000, 16, 100, 100))
	f.Add(wave(3, 2, 48000, 32, 100, 7))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\x01\x00\x00\x00\x00"))
	for _, c := range forged() {
		f.Add(c.file[:min(len(c.file), 400)])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		ask, err := transcribe(t, transcript(file))
		if err != nil && bytes.Contains(file, []byte("--XX")) {
			return // it is another form
		}
		if err != nil {
			t.Fatal(err)
		}
		usage, _ := answered(t, ask, "text/plain", "hello")
		if usage.AudioSeconds < 0 || usage.AudioSeconds > ask.Pieces.AudioSeconds || ask.Pieces.AudioSeconds < 1 || ask.InputUpper < usage.Input+usage.AudioInput {
			t.Fatalf("at most %d s and %d tokens, then %+v", ask.Pieces.AudioSeconds, ask.InputUpper, usage)
		}
	})
}

// FuzzPieces looks for an answer whose stated use cannot be: negative, or beyond
// all bounds.
func FuzzPieces(f *testing.F) {
	f.Add("/v1/rerank", []byte(`{"results":[],"meta":{"billed_units":{"search_units":2}}}`))
	f.Add("/v1/images/generations", []byte(`{"data":[{},{}],"usage":{"input_tokens":3,"output_tokens":5,"input_tokens_details":{"image_tokens":9}}}`))
	f.Add("/v1/images/generations", []byte(`{"data":[1,[2]],"usage":{"seconds":1e9}}`))
	f.Fuzz(func(t *testing.T, path string, answer []byte) {
		head := sluice.Head{Method: "POST", Path: path}
		head.Fields.Add("Content-Type", "application/json")
		op, err := openai.Surface{}.Operation("POST", path)
		if err != nil {
			return
		}
		ask, err := openai.Surface{}.Ask(op, &head, []byte(`{"model":"m","prompt":"x","input":"x","documents":["a"],"messages":[{"role":"user","content":"x"}]}`))
		if err != nil || ask.Operation.Name == dialect.OpCount || ask.Operation.Path == "/audio/speech" {
			return
		}
		leg := openLeg(t, ask, "application/json")
		if _, err := leg.Feed(answer); err == nil {
			_, _ = leg.Finish()
		}
		usage, _ := leg.Usage()
		for unit, n := range usage.Quantities() {
			if n < 0 || n > 1<<40 {
				t.Fatalf("%d of %s", n, sluice.Unit(unit))
			}
		}
	})
}

// A recording that is sent otherwise than as a file would be heard for nothing.
func TestRecordingsAreSentAsFiles(t *testing.T) {
	field := func(name, value string) string {
		return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	sound := strings.Repeat("x", 24_000)
	file := "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
	for name, c := range map[string]struct {
		form string
		most int64 // 0 is refused
	}{
		"a file":                {file + sound + "\r\n", 49},
		"a file without name":   {field("file", sound), 49},
		"nothing":               {"", 0},
		"another file":          {"--XX\r\nContent-Disposition: form-data; name=\"recording\"; filename=\"a\"\r\n\r\n" + sound + "\r\n", 0},
		"an address":            {field("url", "https://a.test/b.mp3"), 0},
		"an address, oddly":     {file + sound + "\r\n" + field("URL", "https://a.test/b.mp3"), 0},
		"an address and a file": {field("url", "https://a.test/b.mp3") + file + sound + "\r\n", 0},
		"an address of a file":  {field("file_url", "https://a.test/b.mp3") + file + sound + "\r\n", 0},
		"an address as a file":  {file + " HTTPS://a.test/b.mp3\r\n", 0},
		"an address as a field": {field("file", "http://a.test/b.mp3"), 0},
		"a stored file":         {field("file_id", "file-1") + file + sound + "\r\n", 0},
	} {
		ask, err := transcribe(t, []byte(c.form+field("model", "m")+"--XX--\r\n"))
		switch {
		case c.most == 0 && sluice.CodeOf(err) != sluice.CodeInvalidRequest:
			t.Errorf("%s: %v", name, err)
		case c.most > 0 && (err != nil || ask.Pieces.AudioSeconds != c.most):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Pictures would be held for as less than they can be, by a size that is small or
// cannot be read.
func TestPicturesAreBounded(t *testing.T) {
	for size, want := range map[string]int64{
		`"1024x1024"`: 4160, `"1536x1024"`: 6240, `"2048x2048"`: 4 * 4160, `"auto"`: 6240, `null`: 6240, `""`: 6240,
		`"1x1"`: 4160, `"256x256"`: 4160, `"1x99999"`: 4160, `"0x0"`: 16 * 4160, `"2K"`: 16 * 4160, `"4K"`: 16 * 4160, `"16:9"`: 16 * 4160,
		`"1024X1024"`: 16 * 4160, `"1024x1024 "`: 16 * 4160, `{"width":1}`: 16 * 4160, `"-5x-5"`: 16 * 4160,
	} {
		ask := asked(t, "/v1/images/generations", `{"model":"m","prompt":"x","size":`+size+`}`)
		if ask.OutputUpper != want {
			t.Errorf("%s: %d tokens, want %d", size, ask.OutputUpper, want)
		}
	}
}

// Search units would be held for as fewer than a long query makes of short
// documents.
func TestRankingsAreBounded(t *testing.T) {
	const documents = `"documents":["` + "a" + `","b","c"]`
	for query, want := range map[int]int64{1: 1, 400: 1, 20_000: 2, 50_000: 5} {
		ask := asked(t, "/v1/rerank", `{"model":"m","query":"`+strings.Repeat("q", query)+`",`+documents+`}`)
		if ask.Pieces.SearchUnits < want {
			t.Errorf("a query of %d bytes: %d search units, want at least %d", query, ask.Pieces.SearchUnits, want)
		}
	}
}

// asked is what a JSON body asks for.
func asked(t testing.TB, path, body string) *dialect.Ask {
	t.Helper()
	head := sluice.Head{Method: "POST", Path: path}
	head.Fields.Add("Content-Type", "application/json")
	op, err := openai.Surface{}.Operation("POST", path)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := openai.Surface{}.Ask(op, &head, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return ask
}

// Pictures that came in a stream would be free: of several that end in one event,
// or one whose last sketch was enough for the client.
func TestPicturesOfStreams(t *testing.T) {
	event := func(kind, more string) string {
		return `data: {"type":"image_` + kind + `","b64_json":"AA"` + more + "}\n\n"
	}
	const usage = `,"usage":{"input_tokens":5,"output_tokens":9}`
	sketch, done := event("generation.partial_image", ""), event("generation.completed", "")
	part, last := event("generation.partial_succeeded", ""), event("generation.completed", usage)
	for name, c := range map[string]struct {
		stream string
		images int64
		stated bool
		ended  bool
	}{
		"one":                        {last, 1, true, false},
		"two, each with its end":     {done + last, 2, true, true},
		"two with one end":           {part + part + last, 2, true, true},
		"two without an end":         {part + part, 2, false, false},
		"one of two, and a failure":  {part + event("generation.partial_failed", "") + last, 1, true, true},
		"a sketch":                   {sketch, 1, false, false},
		"sketches":                   {sketch + sketch, 1, false, false},
		"of an edit":                 {event("edit.partial_image", ""), 1, false, false},
		"a sketch and its picture":   {sketch + done, 1, false, false},
		"a sketch of the second one": {sketch + done + sketch, 2, false, false},
		"a sketch and both":          {sketch + part + part + last, 2, true, true},
		"nothing that was drawn":     {event("generation.started", ""), 0, false, false},
	} {
		ask := asked(t, "/v1/images/generations", `{"model":"m","prompt":"x","n":2,"stream":true,"size":"1024x1024","quality":"low"}`)
		leg := openLeg(t, ask, "text/event-stream")
		if _, err := leg.Feed([]byte(c.stream)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := sluice.Usage{Input: 5, Image: 9, Pieces: sluice.Pieces{Images: c.images}}
		if !c.stated {
			want.Input, want.Image = ask.InputEstimate, c.images*272
		}
		usage, source := leg.Usage()
		if usage != want || (source == sluice.UsageProvider) != c.stated {
			t.Errorf("%s: %+v (%s), want %+v", name, usage, source, want)
		}
		if ended := leg.(dialect.Completer).Complete(); ended != c.ended {
			t.Errorf("%s: complete is %v", name, ended)
		}
	}
}

// Pictures that the provider failed to draw would be charged.
func TestFailedPictures(t *testing.T) {
	ask := asked(t, "/v1/images/generations", `{"model":"m","prompt":"x","n":4}`)
	usage, _ := answered(t, ask, "application/json", `{"data":[{"url":"a"},{"error":{"code":"x"}},{"error":null,"url":"b"},{"error":{}}]}`)
	if usage.Images != 2 {
		t.Errorf("%d pictures", usage.Images)
	}
}

// What was guessed beside what the provider stated would pass for its statement, or
// a 0 that it stated be filled in.
func TestGuessesAreToldFromStatements(t *testing.T) {
	sound := transcript(bytes.Repeat([]byte("x"), 24_000)) // 4 seconds, likely
	rank := func() *dialect.Ask {
		return asked(t, "/v1/rerank", `{"model":"m","query":"q","documents":["a"]}`)
	}
	hear := func() *dialect.Ask {
		ask, err := transcribe(t, sound)
		if err != nil {
			t.Fatal(err)
		}
		return ask
	}
	searches, seconds := func(n int64) sluice.Pieces { return sluice.Pieces{SearchUnits: n} }, func(n int64) sluice.Pieces { return sluice.Pieces{AudioSeconds: n} }
	guessed := rank().InputEstimate
	for answer, c := range map[string]struct {
		ask    *dialect.Ask
		usage  sluice.Usage
		source sluice.UsageSource
	}{
		`{"text":"","usage":{"input_tokens":7,"output_tokens":3}}`:                    {hear(), sluice.Usage{Input: 7, Output: 3, Pieces: seconds(4)}, sluice.UsageEstimated},
		`{"text":"","duration":9,"usage":{"input_tokens":7,"output_tokens":3}}`:       {hear(), sluice.Usage{Input: 7, Output: 3, Pieces: seconds(9)}, sluice.UsageProvider},
		`{"text":"","usage":{"seconds":0,"input_tokens":7,"output_tokens":3}}`:        {hear(), sluice.Usage{Input: 7, Output: 3}, sluice.UsageProvider},
		`{"text":"","usage":{"seconds":2,"input_tokens":0,"output_tokens":0}}`:        {hear(), sluice.Usage{Pieces: seconds(2)}, sluice.UsageProvider},
		`{"text":"","usage":{"seconds":0},"duration":5}`:                              {hear(), sluice.Usage{Output: 11}, sluice.UsageEstimated},
		`{"usage":{"total_tokens":30}}`:                                               {rank(), sluice.Usage{Input: 30, Pieces: searches(1)}, sluice.UsageEstimated},
		`{"meta":{"billed_units":{"search_units":2}}}`:                                {rank(), sluice.Usage{Input: guessed, Pieces: searches(2)}, sluice.UsageEstimated},
		`{"meta":{"billed_units":{"search_units":0}},"usage":{"total_tokens":30}}`:    {rank(), sluice.Usage{Input: 30}, sluice.UsageProvider},
		`{"meta":{"billed_units":{"search_units":2}},"usage":{"total_tokens":0}}`:     {rank(), sluice.Usage{Pieces: searches(2)}, sluice.UsageProvider},
		`{"meta":{"billed_units":{"search_units":-2}},"usage":{"total_tokens":null}}`: {rank(), sluice.Usage{Input: guessed, Pieces: searches(1)}, sluice.UsageEstimated},
	} {
		if usage, source := answered(t, c.ask, "application/json", answer); usage != c.usage || source != c.source {
			t.Errorf("%s: %+v (%s), want %+v (%s)", answer, usage, source, c.usage, c.source)
		}
	}
}
