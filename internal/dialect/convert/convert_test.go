package convert_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// account is a provider of a protocol made up for these tests: events are
// {"text":..}, {"usage":n}, {"finish":true}, {"fault":{..}}.
type account struct {
	scrub peer.Scrubber
}

func (a *account) Address(call *sluice.Call, path string) { call.Target = path }
func (a *account) Scrubber() *peer.Scrubber               { return &a.scrub }

func (a *account) EncodeChat(c *form.Chat, t *form.Target) (form.Encoded, error) {
	if err := t.DropExtras(c.Extras, nil); err != nil {
		return form.Encoded{}, err
	}
	return form.Encoded{Path: "/ask", Body: []byte(t.Model)}, nil
}

func (a *account) Decoder(e *form.Emitter, _ *form.Target) form.Decoder { return &decoder{e} }

func (a *account) EncodeEmbed(*form.Embed, *form.Target) (form.Encoded, error) {
	return form.Encoded{Path: "/embed"}, nil
}

func (a *account) DecodeEmbed(doc []byte) (*form.Embeddings, error) {
	var v struct{ Vectors []form.Vector }
	return &form.Embeddings{Vectors: v.Vectors}, json.Unmarshal(doc, &v)
}

type decoder struct{ e *form.Emitter }

func (d *decoder) Event(_, data []byte) error { return d.read(data) }
func (d *decoder) Whole(doc []byte) error     { return d.read(doc) }
func (d *decoder) End() error                 { return nil }

func (d *decoder) read(doc []byte) error {
	var v struct {
		Start, Finish bool
		Text          string
		Usage         *int64
		Fault         json.RawMessage
	}
	if err := json.Unmarshal(doc, &v); err != nil {
		return peer.Broken("it is no JSON")
	}
	if v.Fault != nil {
		return &form.Fault{Doc: v.Fault}
	}
	err := d.e.Start("id", 0)
	if v.Text != "" {
		err = errors.Join(err, d.e.Text(0, v.Text))
	}
	if v.Usage != nil {
		err = errors.Join(err, d.e.Usage(sluice.Usage{Input: 1, Output: *v.Usage}))
	}
	if v.Finish {
		err = errors.Join(err, d.e.Finish(0, form.StopEnd, ""))
	}
	return err
}

// front is a client that writes events as words.
type front struct{ chat form.Chat }

func (f *front) Chat() (*form.Chat, error) { return &f.chat, nil }
func (f *front) Embed() (*form.Embed, error) {
	return &form.Embed{Inputs: make([]form.EmbedInput, 1)}, nil
}
func (f *front) Writer(form.Info) form.Writer {
	return words{}
}
func (f *front) Embeddings(_ form.Info, e *form.Embeddings) ([]byte, error) {
	return fmt.Append(nil, e.Vectors), nil
}
func (f *front) Count(c form.Count) []byte { return fmt.Append(nil, c) }

type words struct{}

func (words) Write(to []byte, ev *form.Event) ([]byte, error) {
	return fmt.Appendf(to, "%s%s ", ev.Kind, ev.Text), nil
}
func (words) End(to []byte) ([]byte, error) { return append(to, "end"...), nil }
func (words) ContentType() string           { return "text/words" }

// secret is the account's credential, which some answers echo.
const secret = "sk-very-secret-credential"

// open begins an attempt.
func open(t *testing.T, op string, stream, strict bool) dialect.Leg {
	t.Helper()
	ask := &dialect.Ask{
		Surface: "words", Operation: dialect.Operation{Name: op}, Model: "ours", Stream: stream, Choices: 1, InputEstimate: 7,
		RequestID: "r1", Front: &front{form.Chat{Extras: []form.Extra{{Name: "odd"}}}},
	}
	entry := &sluice.Model{ParamPolicy: sluice.ParamsLenient}
	if strict {
		entry.ParamPolicy = sluice.ParamsStrict
	}
	leg, err := convert.Open(ask, dialect.Account{Provider: &sluice.Provider{Type: "made-up"}, Model: "theirs", Entry: entry},
		&account{scrub: peer.NewScrubber(secret, "h.example", "")})
	if err != nil {
		t.Fatal(err)
	}
	return leg
}

// answer feeds pieces and renders what comes out, "|" after every piece.
func answer(leg dialect.Leg, contentType string, pieces ...string) string {
	var out strings.Builder
	head, client := sluice.RespHead{Status: 200}, sluice.RespHead{}
	head.Fields.Add("Content-Type", contentType)
	if err := leg.Begin(&head, &client); err != nil {
		return "begin: " + string(sluice.CodeOf(err))
	}
	for _, p := range pieces {
		b, err := leg.Feed([]byte(p))
		if err != nil {
			return out.String() + string(sluice.CodeOf(err))
		}
		out.Write(b)
		out.WriteByte('|')
	}
	b, err := leg.Finish()
	if err != nil {
		return out.String() + string(sluice.CodeOf(err))
	}
	return out.String() + string(b)
}

// A stream must not begin before content, must not repeat or invent anything,
// and must end once; every row is a way in which providers break that.
func TestStreamsAreGuarded(t *testing.T) {
	const start, text, finish = "data: {\"start\":true}\n\n", "data: {\"text\":\"hi\"}\n\n", "data: {\"finish\":true}\n\n"
	for name, c := range map[string]struct {
		pieces []string
		want   string
	}{
		"nothing before content": {[]string{start, text, finish}, "|start part-start deltahi |part-stop |finish end"},
		"error before content":   {[]string{start, "event: error\ndata: {\"error\":{\"type\":\"overloaded_error\"}}\n\n"}, "|PROVIDER_005"},
		"rate limit inside":      {[]string{start, "data: {\"error\":{\"code\":429,\"message\":\"slow\"}}\n\n"}, "|PROVIDER_002"},
		"client's fault inside":  {[]string{start, "data: {\"fault\":{\"error\":{\"code\":400,\"message\":\"no\"}}}\n\n"}, "|PROVIDER_006"},
		"error after content":    {[]string{text, "data: {\"error\":{\"code\":500}}\n\n"}, "start part-start deltahi |PROVIDER_005"},
		"content and error":      {[]string{text + "data: {\"error\":{\"code\":500}}\n\n"}, "start part-start deltahi |PROVIDER_005"},
		"cut off":                {[]string{text}, "start part-start deltahi |PROVIDER_005"},
		"cut within an event":    {[]string{text, "data: {\"fin"}, "start part-start deltahi ||PROVIDER_005"},
		"split anywhere":         {[]string{"da", "ta: {\"text\":\"", "hi\"}\n", "\n" + finish}, "|||start part-start deltahi part-stop |finish end"},
		"no blank line":          {[]string{text, "data: {\"finish\":true}"}, "start part-start deltahi ||part-stop finish end"},
		"behind [DONE]":          {[]string{text + finish + "data: [DONE]\n\n" + text, text}, "start part-start deltahi part-stop ||finish end"},
		"behind the end":         {[]string{text + finish + text}, "start part-start deltahi part-stop |PROVIDER_005"},
		"two ends":               {[]string{text + finish + finish}, "start part-start deltahi part-stop |finish end"},
		"comments":               {[]string{": ping\n\n", text, ": ping\n\n", finish}, "|start part-start deltahi ||part-stop |finish end"},
		"a document":             {[]string{`{"text":"hi","finish":true}`}, "|PROVIDER_005"},
		"an error document":      {[]string{`[{"error":{"code":429}}]`}, "|PROVIDER_002"},
		"garbage":                {[]string{"\x00\x01"}, "PROVIDER_005"},
		"broken JSON":            {[]string{text, "data: {]\n\n"}, "start part-start deltahi |PROVIDER_005"},
		"silence":                {nil, "PROVIDER_005"},
		"credential":             {[]string{"data: {\"text\":\"" + secret + "\"}\n\n", finish}, "start part-start delta" + strings.Repeat("*", len(secret)) + " |part-stop |finish end"},
	} {
		if got := answer(open(t, dialect.OpChat, true, false), "text/event-stream", c.pieces...); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// Whole answers have the same promises.
func TestWholeAnswersAreGuarded(t *testing.T) {
	for name, c := range map[string]struct{ kind, body, want string }{
		"complete":      {"application/json", ` {"text":"hi","finish":true}`, "|start part-start deltahi part-stop finish end"},
		"error inside":  {"application/json", `{"error":{"code":503}}`, "|PROVIDER_005"},
		"a fault":       {"application/json", `{"fault":{"error":{"code":429}}}`, "|PROVIDER_002"},
		"a page":        {"text/html", "<html>", "begin: PROVIDER_005"},
		"a page, plain": {"", "<html>", "PROVIDER_005"},
		"a stream":      {"text/event-stream", "", "begin: PROVIDER_005"},
		"incomplete":    {"application/json", `{"text":"hi"}`, "|PROVIDER_005"},
		"empty":         {"application/json", "", "|PROVIDER_005"},
	} {
		if got := answer(open(t, dialect.OpChat, false, false), c.kind, c.body); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// What is charged must be what the provider stated, an estimate when it stated
// nothing that can be believed, and nothing when nothing came.
func TestUsageIsStatedOrEstimated(t *testing.T) {
	const text, finish = "data: {\"text\":\"12345678\"}\n\n", "data: {\"finish\":true}\n\n"
	for name, c := range map[string]struct {
		pieces []string
		usage  sluice.Usage
		source sluice.UsageSource
	}{
		"stated":         {[]string{text, "data: {\"usage\":3}\n\n", finish}, sluice.Usage{Input: 1, Output: 3}, sluice.UsageProvider},
		"stated twice":   {[]string{"data: {\"usage\":3}\n\n", text, "data: {\"usage\":4}\n\n", finish}, sluice.Usage{Input: 1, Output: 4}, sluice.UsageProvider},
		"zero":           {[]string{text, "data: {\"usage\":0}\n\n", finish}, sluice.Usage{Input: 1}, sluice.UsageProvider},
		"none":           {[]string{text, finish}, sluice.Usage{Input: 7, Output: 2}, sluice.UsageEstimated},
		"negative":       {[]string{text, "data: {\"usage\":-5}\n\n", finish}, sluice.Usage{Input: 7, Output: 2}, sluice.UsageEstimated},
		"absurd":         {[]string{text, "data: {\"usage\":9000000000000}\n\n", finish}, sluice.Usage{Input: 7, Output: 2}, sluice.UsageEstimated},
		"cut off":        {[]string{text}, sluice.Usage{Input: 7, Output: 2}, sluice.UsageEstimated},
		"error at once":  {[]string{"data: {\"error\":{\"code\":500}}\n\n"}, sluice.Usage{}, sluice.UsageNone},
		"nothing at all": {nil, sluice.Usage{}, sluice.UsageNone},
	} {
		leg := open(t, dialect.OpChat, true, false)
		answer(leg, "text/event-stream", c.pieces...)
		if u, source := leg.Usage(); u != c.usage || source != c.source {
			t.Errorf("%s: got %+v %q", name, u, source)
		}
	}
}

// A client must be told what was left out of its request, or refused when the
// model's policy says so.
func TestDroppedParametersAreNamed(t *testing.T) {
	leg := open(t, dialect.OpChat, false, false)
	head, client := sluice.RespHead{Status: 200}, sluice.RespHead{}
	if err := leg.Begin(&head, &client); err != nil || client.Fields.Get(convert.DroppedField) != "odd" {
		t.Errorf("got %q, %v", client.Fields.Get(convert.DroppedField), err)
	}
	ask := &dialect.Ask{Operation: dialect.Operation{Name: dialect.OpChat}, Front: &front{form.Chat{Extras: []form.Extra{{Name: "odd"}}}}}
	_, err := convert.Open(ask, dialect.Account{Provider: &sluice.Provider{}, Entry: &sluice.Model{ParamPolicy: sluice.ParamsStrict}}, &account{})
	if sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != "/odd" {
		t.Errorf("strict: %v", err)
	}
}

// Coding tools ask every model to think: one that cannot must answer all the
// same, and say that it did not.
func TestReasoningIsDroppedForModelsWithoutIt(t *testing.T) {
	chat := form.Chat{Reasoning: form.Reasoning{Effort: "high", Field: "/thinking"}}
	open := func(policy sluice.ParamPolicy) (*sluice.RespHead, error) {
		ask := &dialect.Ask{Operation: dialect.Operation{Name: dialect.OpChat}, Front: &front{chat}}
		leg, err := convert.Open(ask, dialect.Account{Provider: &sluice.Provider{}, Entry: &sluice.Model{SupportsReasoning: new(bool), ParamPolicy: policy}}, &account{})
		if err != nil {
			return nil, err
		}
		client := &sluice.RespHead{}
		return client, leg.Begin(&sluice.RespHead{Status: 200}, client)
	}
	if head, err := open(sluice.ParamsLenient); err != nil || head.Fields.Get(convert.DroppedField) != "reasoning" {
		t.Errorf("lenient: %v, %v", head, err)
	}
	if _, err := open(sluice.ParamsStrict); sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != "/thinking" {
		t.Errorf("strict: %v", err)
	}
}

// What a pair cannot do must be said before it costs anything.
func TestOperationsOfOneProtocolAreRefused(t *testing.T) {
	ask := &dialect.Ask{Surface: "words", Operation: dialect.Operation{Name: "images"}}
	if _, err := convert.Open(ask, dialect.Account{Provider: &sluice.Provider{Type: "x"}}, &account{}); sluice.CodeOf(err) != sluice.CodeUnsupported {
		t.Error(err)
	}
}

// A provider that cannot count must not make counting fail, and an estimate must
// not be taken for a count.
func TestCountingFallsBackToAnEstimate(t *testing.T) {
	leg := open(t, dialect.OpCount, false, false)
	if err := leg.Request(&sluice.Call{}); err != nil {
		t.Fatal(err)
	}
	s, err := leg.Outbound().Do(&sluice.Call{})
	if err != nil {
		t.Fatal(err)
	}
	var client sluice.RespHead
	if err := leg.Begin(s.Head(), &client); err != nil {
		t.Fatal(err)
	}
	out, err := leg.Finish()
	if got := string(out); err != nil || got != "{7 true}" || client.Fields.Get(convert.EstimatedField) != "true" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, source := leg.Usage(); source != sluice.UsageNone {
		t.Error("counting was charged")
	}
}

// Vectors that do not belong to the inputs would poison a client's index.
func TestEmbeddingsHaveOneVectorForEachInput(t *testing.T) {
	for body, want := range map[string]string{
		`{"vectors":[[1,2]]}`:    "|[[1 2]]",
		`{"vectors":[[1],[2]]}`:  "|PROVIDER_005",
		`{"error":{"code":429}}`: "|PROVIDER_002",
	} {
		if got := answer(open(t, dialect.OpEmbeddings, false, false), "application/json", body); got != want {
			t.Errorf("%s: got %s", body, got)
		}
	}
}
