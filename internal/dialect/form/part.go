package form

import "encoding/json"

// PartKind is the kind of a [Part].
type PartKind string

// The kinds of parts.
const (
	PartText      PartKind = "text"
	PartImage     PartKind = "image"
	PartAudio     PartKind = "audio"
	PartVideo     PartKind = "video"
	PartFile      PartKind = "file" // a document
	PartCall      PartKind = "tool_call"
	PartResult    PartKind = "tool_result"
	PartReasoning PartKind = "reasoning"
	PartRefusal   PartKind = "refusal"
	// PartOther is something of one protocol alone, such as the call of a tool
	// that the provider ran, in Raw.
	PartOther PartKind = "other"
)

// Part is one piece of a turn.
type Part struct {
	Kind PartKind
	// Text is the text of PartText, PartReasoning and PartRefusal.
	Text string
	// Media belongs to images, audio, video and files.
	Media *Media
	// Call belongs to PartCall, Result to PartResult.
	Call   *Call
	Result *Result
	// Signature proves to the provider that the part is its own. A
	// PartReasoning without text may be a signature alone.
	Signature Signature
	// Sealed is reasoning that only the provider can read (Anthropic's
	// redacted_thinking, the encrypted content of OpenAI's responses), in the
	// protocol of Signature.Origin; Text is empty then, or a summary.
	Sealed string
	Cache  Cache
	// Raw is the whole part of PartOther, in the protocol that Origin names.
	Raw    json.RawMessage
	Origin string
	// Field is where the part stands in the client's body.
	Field string
}

// Media is an image, a recording or a document, by one of URL, Data and FileID.
type Media struct {
	// Type is the media type, "" when it is not stated.
	Type string
	// URL is where it can be fetched (http, https, gs).
	URL string
	// Data is its content in standard base64.
	Data string
	// FileID names what was uploaded to the provider before.
	FileID string
	// Name is its file name or title.
	Name string
	// Detail is low, high or auto for images, "" when not stated.
	Detail string
	// Plain is the text of a document that is given as text.
	Plain string
}

// Call is a call of a tool by the model.
type Call struct {
	// ID connects it with its result. Dialects without ids give "" and the
	// emitter makes one.
	ID   string
	Name string
	// Arguments is the JSON text of the arguments as it came, possibly cut off;
	// never "" in a request, where "{}" stands for none. Of a custom tool it is
	// free text.
	Arguments string
	Custom    bool
}

// Result is what a tool answered.
type Result struct {
	// ID is that of the call, Name its tool, "" when the client did not say.
	ID, Name string
	// Parts are text, images and files.
	Parts   []Part
	IsError bool
}

// Signature is a provider's proof that a part is its own. It means something to
// the dialect in Origin only; encoders leave those of others out.
type Signature struct {
	// Origin is the dialect that signed.
	Origin string
	Value  string
}

// For returns the value for a dialect, "" when it is not the one that signed.
func (s Signature) For(origin string) string {
	if s.Origin != origin {
		return ""
	}
	return s.Value
}

// Text joins the text parts with a separator; other parts are left out.
func Text(parts []Part, separator string) string {
	joined := ""
	for i := range parts {
		if parts[i].Kind != PartText {
			continue
		}
		if joined != "" {
			joined += separator
		}
		joined += parts[i].Text
	}
	return joined
}
