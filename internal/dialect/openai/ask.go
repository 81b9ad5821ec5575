package openai

import (
	"mime"
	"strings"
	"sync"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/responses"
)

// Limits on what one request may ask for.
const (
	maxModelName = 256
	maxChoices   = 128
	maxTokens    = 1_000_000_000
)

// asked is an ask and its attempts, whose memory serves one exchange after the
// other.
type asked struct {
	reading
	// leg is nil until an attempt passes the body on: one that is translated for
	// minutes needs none.
	leg *leg
}

// askeds and legs are those that no exchange uses.
var (
	askeds = sync.Pool{New: func() any { return new(asked) }}
	legs   = sync.Pool{New: func() any { return new(leg) }}
)

// begin begins an attempt that passes the body on, and ends the one before.
func (a *asked) begin(p *plan, account dialect.Account) *leg {
	if a.leg == nil {
		a.leg = legs.Get().(*leg)
	}
	a.leg.start(a, p, account)
	return a.leg
}

// Release implements [dialect.Releaser].
func (a *asked) Release() {
	a.reading = reading{}
	if a.leg != nil {
		a.leg.drop()
		legs.Put(a.leg)
		a.leg = nil
	}
	askeds.Put(a)
}

// reading is an ask with what splicing its body takes.
type reading struct {
	ask      dialect.Ask
	endpoint *endpoint
	// model is where the model's name stands: the whole string of JSON, or the
	// bare value of a form.
	model span
	// form tells that the body is multipart.
	form bool
	// inside is the offset behind the opening brace of a JSON body.
	inside int
	// options is the value of stream_options, and include that of its
	// include_usage.
	options, include jsonscan.Value
	size             size
	measure          measure
	front            front
	// responses and outline are set where the body is one of the Responses API.
	responses *responses.Front
	outline   responses.Outline
}

// span is a piece of the body.
type span struct{ start, end int }

// newAsk is [Surface.Ask].
func newAsk(op dialect.Operation, h *sluice.Head, body []byte) (*dialect.Ask, error) {
	a := askeds.Get().(*asked)
	a.endpoint = endpointAt(op.Path)
	a.ask = dialect.Ask{Surface: Name, Operation: op, Choices: 1, Head: h, Body: body, Detail: a}
	if op.Local {
		a.ask.Model = op.Model
		return &a.ask, nil
	}
	if a.endpoint == nil {
		return nil, unknown(op.Path)
	}
	if coding := h.Fields.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, sluice.Errorf(sluice.CodeMediaType, "Content-Encoding %q is not accepted, send the body as it is", clip(coding)).At("Content-Encoding")
	}
	a.ask.ContentType = h.Fields.Get("Content-Type")
	boundary, err := a.mediaType(a.ask.ContentType)
	if err != nil {
		return nil, err
	}
	switch {
	case a.endpoint.responses:
		err = a.readResponses()
	case a.form:
		err = a.readForm(boundary)
	default:
		err = a.readJSON()
	}
	if err != nil {
		return nil, err
	}
	a.ask.InputUpper, a.ask.InputEstimate = a.size.tokens()
	a.bound()
	if !a.endpoint.responses && (a.endpoint.name == opChat || a.endpoint.name == opEmbeddings) {
		a.front.ask, a.ask.Front = &a.ask, &a.front
	}
	return &a.ask, nil
}

// mediaType decides from the content type how the body is read; boundary
// belongs to forms.
func (a *asked) mediaType(contentType string) (boundary string, err error) {
	want := "application/json"
	if !a.endpoint.json {
		want = "multipart/form-data"
	}
	if contentType == "application/json" && a.endpoint.json {
		return "", nil
	}
	kind, params, perr := mime.ParseMediaType(contentType)
	switch {
	case perr == nil && kind == "application/json" && a.endpoint.json:
		return "", jsonCharset(params["charset"])
	case perr == nil && kind == "multipart/form-data" && a.endpoint.form:
		a.form = true
		return params["boundary"], nil
	case contentType == "":
		return "", sluice.Errorf(sluice.CodeMediaType, "Content-Type is missing, send %s", want).At("Content-Type")
	}
	return "", sluice.Errorf(sluice.CodeMediaType, "Content-Type %q is not accepted here, send %s", clip(contentType), want).At("Content-Type")
}

// jsonCharset refuses JSON that is declared to be anything but UTF-8: a target
// that believes the declaration would read another request.
func jsonCharset(charset string) error {
	if charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii") {
		return nil
	}
	return sluice.Errorf(sluice.CodeMediaType, "charset %q is not accepted, send UTF-8", clip(charset)).At("Content-Type")
}

// member is a top-level member of the body that means something to the gateway.
// Each may stand once: of two, the gateway might check one and the target obey
// the other.
type member byte

const (
	mModel member = iota
	mStream
	mMaxTokens
	mMaxCompletionTokens
	mN
	mBestOf
	mStreamOptions
	mTools
	mFunctions
	mToolChoice
	mFunctionCall
	mMessages
	mPrompt
	mSuffix
	mInput
	mStore
	mStreamFormat
	mImages
	mMask
	mReasoningEffort
	mResponseFormat
	mAudio
	mVoice
	memberCount
)

// memberNames are the names on the wire, by member.
var memberNames = [memberCount]string{
	"model", "stream", "max_tokens", "max_completion_tokens", "n", "best_of", "stream_options", "tools", "functions",
	"tool_choice", "function_call", "messages", "prompt", "suffix", "input", "store", "stream_format", "images", "mask",
	"reasoning_effort", "response_format", "audio", "voice",
}

// memberNamed returns the member of that name, memberCount if it means nothing.
// A name that differs in case only is an error: some targets would take it for
// the real one.
func memberNamed(name []byte) (member, error) {
	odd := false
	for _, c := range name {
		odd = odd || c >= 'A' && c <= 'Z' || c >= 0x80
	}
	for i := range memberNames {
		if len(name) == len(memberNames[i]) && string(name) == memberNames[i] {
			return member(i), nil
		}
		if odd && strings.EqualFold(string(name), memberNames[i]) {
			return 0, sluice.Errorf(sluice.CodeInvalidRequest, "member %q must be written %q", name, memberNames[i]).At("/" + memberNames[i])
		}
	}
	return memberCount, nil
}

// readJSON reads a JSON body in one pass over its top level.
func (a *asked) readJSON() error {
	body := a.ask.Body
	var found [memberCount]jsonscan.Value
	members := jsonscan.Document(body)
	for members.Next() {
		m, err := memberNamed(members.Key())
		if err != nil {
			return err
		}
		if m == memberCount {
			continue
		}
		if found[m].Kind != jsonscan.None {
			return sluice.Errorf(sluice.CodeInvalidRequest, "%s is given twice", memberNames[m]).At("/" + memberNames[m])
		}
		found[m] = members.Value()
	}
	if err := members.Err(); err != nil {
		return sluice.Errorf(sluice.CodeInvalidRequest, "%s", err.Error())
	}
	for body[a.inside] != '{' {
		a.inside++
	}
	a.inside++
	return a.interpret(&found)
}

// interpret takes the found members one by one.
func (a *asked) interpret(found *[memberCount]jsonscan.Value) error {
	if err := a.readModel(found); err != nil {
		return err
	}
	if err := a.readStream(found); err != nil {
		return err
	}
	if err := a.readCaps(found); err != nil {
		return err
	}
	if err := a.readContent(found); err != nil {
		return err
	}
	if err := a.readTools(found); err != nil {
		return err
	}
	if err := a.readPieces(found); err != nil {
		return err
	}
	a.readAnswer(found)
	return a.readStore(found)
}

// invalid blames a member.
func invalid(m member, format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, memberNames[m]+" "+format, args...).At("/" + memberNames[m])
}

// given reports whether a member is there and not null, which counts as absent.
func given(v jsonscan.Value) bool { return v.Kind != jsonscan.None && v.Kind != jsonscan.Null }

func (a *asked) readModel(found *[memberCount]jsonscan.Value) error {
	v := found[mModel]
	if v.Kind == jsonscan.None {
		return invalid(mModel, "is required")
	}
	name, ok := jsonscan.Span(a.ask.Body, v)
	if !ok {
		return invalid(mModel, "must be a string, not %s", v.Kind)
	}
	if name == "" || len(name) > maxModelName {
		return invalid(mModel, "must be 1 to %d bytes long", maxModelName)
	}
	a.ask.Model, a.model = name, span{v.Start, v.End}
	return nil
}

func (a *asked) readStream(found *[memberCount]jsonscan.Value) error {
	v := found[mStream]
	if given(v) && v.Kind != jsonscan.True && v.Kind != jsonscan.False {
		return invalid(mStream, "must be a boolean, not %s", v.Kind)
	}
	a.ask.Stream = v.Kind == jsonscan.True && a.endpoint.streams
	if a.endpoint.path == "/audio/speech" {
		// Speech streams by its format, not by a flag.
		a.ask.Stream = jsonscan.Is(a.ask.Body, found[mStreamFormat], "sse")
	}
	a.options = found[mStreamOptions]
	if !given(a.options) {
		return nil
	}
	if a.options.Kind != jsonscan.Object {
		return invalid(mStreamOptions, "must be an object, not %s", a.options.Kind)
	}
	for m := a.options.Members(a.ask.Body); m.Next(); {
		if string(m.Key()) != "include_usage" {
			continue
		}
		if a.include.Kind != jsonscan.None {
			return invalid(mStreamOptions, "holds include_usage twice")
		}
		a.include = m.Value()
	}
	if given(a.include) && a.include.Kind != jsonscan.True && a.include.Kind != jsonscan.False {
		return invalid(mStreamOptions, "holds an include_usage that is not a boolean")
	}
	a.ask.WantsUsage = a.include.Kind == jsonscan.True
	return nil
}

// readCaps reads what bounds the answer's size.
func (a *asked) readCaps(found *[memberCount]jsonscan.Value) error {
	for _, m := range [...]member{mMaxTokens, mMaxCompletionTokens} {
		n, err := a.count(m, found[m], 0, maxTokens)
		if err != nil {
			return err
		}
		a.ask.MaxTokens = max(a.ask.MaxTokens, n)
	}
	for _, m := range [...]member{mN, mBestOf} {
		n, err := a.count(m, found[m], 1, maxChoices)
		if err != nil {
			return err
		}
		a.ask.Choices = max(a.ask.Choices, n)
	}
	return nil
}

// count reads an integer member within bounds, 0 when it is absent.
func (a *asked) count(m member, v jsonscan.Value, low, high int64) (int64, error) {
	if !given(v) {
		return 0, nil
	}
	n, ok := jsonscan.Int(a.ask.Body, v)
	if !ok {
		return 0, invalid(m, "must be an integer")
	}
	if n < low || n > high {
		return 0, invalid(m, "must be %d to %d", low, high)
	}
	return n, nil
}

// readContent checks that there is something to work on, and measures it.
func (a *asked) readContent(found *[memberCount]jsonscan.Value) error {
	a.size.text = int64(len(a.ask.Body))
	switch a.endpoint.name {
	case opChat:
		v := found[mMessages]
		if v.Kind != jsonscan.Array {
			return invalid(mMessages, "must be an array")
		}
		if jsonscan.Empty(a.ask.Body, v) {
			return invalid(mMessages, "must not be empty")
		}
		if err := a.refuseVoice(found); err != nil {
			return err
		}
		return a.readMessages(v)
	case opAudio:
		return a.refuseVoice(found)
	case opCompletions:
		if v := found[mPrompt]; given(v) && v.Kind != jsonscan.String && v.Kind != jsonscan.Array {
			return invalid(mPrompt, "must be a string or an array, not %s", v.Kind)
		}
		v := found[mSuffix]
		if given(v) && v.Kind != jsonscan.String {
			return invalid(mSuffix, "must be a string, not %s", v.Kind)
		}
		a.ask.NeedsFIM = v.Kind == jsonscan.String && v.End-v.Start > len(`""`)
	case opEmbeddings, opModerations:
		if v := found[mInput]; v.Kind != jsonscan.String && v.Kind != jsonscan.Array {
			return invalid(mInput, "must be a string or an array")
		}
	case opImages:
		v := found[mImages]
		a.size.text -= int64(v.End - v.Start)
		for e := v.Elements(a.ask.Body); e.Next(); {
			a.size.images++
		}
		return a.refuseImages(found)
	}
	return nil
}

// readTools notes what the request needs of a model.
func (a *asked) readTools(found *[memberCount]jsonscan.Value) error {
	if a.endpoint.name != opChat {
		return nil
	}
	for _, m := range [...]member{mTools, mFunctions} {
		v := found[m]
		if !given(v) {
			continue
		}
		if v.Kind != jsonscan.Array {
			return invalid(m, "must be an array, not %s", v.Kind)
		}
		a.ask.NeedsFunctions = a.ask.NeedsFunctions || !jsonscan.Empty(a.ask.Body, v)
	}
	for _, m := range [...]member{mToolChoice, mFunctionCall} {
		v := found[m]
		if !given(v) {
			continue
		}
		if v.Kind != jsonscan.String && v.Kind != jsonscan.Object {
			return invalid(m, "must be a string or an object, not %s", v.Kind)
		}
		body := a.ask.Body
		// auto and none ask for nothing that a model has to support.
		a.ask.NeedsToolChoice = a.ask.NeedsToolChoice || !jsonscan.Is(body, v, "auto") && !jsonscan.Is(body, v, "none")
	}
	return nil
}

// readAnswer notes what the answer to a conversation needs of a model.
func (a *asked) readAnswer(found *[memberCount]jsonscan.Value) {
	if a.endpoint.name != opChat {
		return
	}
	body := a.ask.Body
	effort := found[mReasoningEffort]
	// none asks for nothing that a model has to support.
	a.ask.NeedsReasoning = effort.Kind == jsonscan.String && !jsonscan.Is(body, effort, "none")
	a.ask.NeedsSchema = jsonscan.Is(body, jsonscan.Find(body, found[mResponseFormat], "type"), "json_schema")
}

// readStore refuses to store chats: they would be kept in an account that
// tenants share.
func (a *asked) readStore(found *[memberCount]jsonscan.Value) error {
	v := found[mStore]
	if !given(v) || v.Kind == jsonscan.False {
		return nil
	}
	if v.Kind != jsonscan.True {
		return invalid(mStore, "must be a boolean, not %s", v.Kind)
	}
	return invalid(mStore, "must be false: stored completions would be kept in an account at the provider that tenants share")
}
