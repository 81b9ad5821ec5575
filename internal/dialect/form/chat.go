package form

import (
	"encoding/json"
	"slices"
)

// Chat is one request of a conversation. What a client did not state has its
// zero value; numbers that are not counts keep the client's own digits.
type Chat struct {
	// Model is the model as the client named it.
	Model string
	// Stream tells that the answer is wanted event by event.
	Stream bool
	// Turns is the conversation in order. Instructions of the system or the
	// developer are turns of [RoleSystem], wherever they stand; encoders for
	// protocols that know only leading instructions hoist them with
	// [Chat.Split].
	Turns []Turn
	// Tools are the functions that the model may call.
	Tools []Tool
	// Choice says which of them it has to.
	Choice ToolChoice
	// Parallel permits or forbids several calls at once; nil is not stated.
	Parallel *bool
	// Format is the shape that the answer must have.
	Format Format
	// MaxTokens is the cap on one answer, 0 when absent.
	MaxTokens int64
	// Stop are the sequences that end the answer.
	Stop []string
	// Sampling says how tokens are chosen.
	Sampling Sampling
	// Reasoning says how much the model thinks, and whether that is shown.
	Reasoning Reasoning
	// User is the client's own name of its end user.
	User string
	// Extras are the members that have no place here, as the client wrote
	// them, in order. An encoder that does not know one by name drops it and
	// says so.
	Extras []Extra
}

// Extra is a member of the client's body that the form has no place for.
type Extra struct {
	// Name is the member's name, or its path with dots below the top level
	// ("generationConfig.speechConfig"), as it is named to clients when it is
	// dropped.
	Name  string
	Value json.RawMessage
}

// Role is who speaks a turn.
type Role string

// The roles. Results of tools are parts of the user's turn that follows the
// calls.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// Turn is what one side says at a time. Turns of one role may follow each
// other; [Chat.Merged] joins them for protocols that alternate.
type Turn struct {
	Role  Role
	Parts []Part
	// Field is where the turn stands in the client's body, as a JSON pointer.
	Field string
}

// Sampling says how tokens are chosen. Numbers keep the client's own digits; ""
// is not stated.
type Sampling struct {
	Temperature, TopP, FrequencyPenalty, PresencePenalty json.Number
	// TopK and Seed are nil when not stated.
	TopK, Seed *int64
	// N is how many answers are wanted, 0 when not stated.
	N int64
	// Logprobs asks for the probabilities of the tokens, TopLogprobs for those
	// of as many alternatives.
	Logprobs    bool
	TopLogprobs int64
}

// Reasoning says how much the model thinks before it answers. The zero value
// leaves it to the model.
type Reasoning struct {
	// Effort is minimal, low, medium, high, xhigh or max; "none" switches
	// reasoning off; "" is not stated.
	Effort string
	// Budget caps the tokens of reasoning; nil is not stated, 0 switches it
	// off, -1 leaves the amount to the model.
	Budget *int64
	// Shown asks for the thoughts, or a summary of them, in the answer; nil is
	// the protocol's own habit.
	Shown *bool
	// Field is where it stands in the client's body.
	Field string
}

// Stated reports whether the client said anything about reasoning.
func (r Reasoning) Stated() bool { return r.Effort != "" || r.Budget != nil }

// Off reports whether the client switched reasoning off.
func (r Reasoning) Off() bool { return r.Effort == "none" || r.Budget != nil && *r.Budget == 0 }

// Format is the shape that an answer must have.
type Format struct {
	// Kind is FormatText, FormatJSON or FormatSchema.
	Kind FormatKind
	// Name and Description say what the schema is for.
	Name, Description string
	// Schema is a JSON Schema, for FormatSchema.
	Schema json.RawMessage
	// Strict asks for exact adherence; nil is not stated.
	Strict *bool
	// Field is where it stands in the client's body.
	Field string
}

// FormatKind is the kind of a [Format].
type FormatKind string

// The kinds of formats.
const (
	FormatText   FormatKind = ""            // free text
	FormatJSON   FormatKind = "json_object" // any JSON object
	FormatSchema FormatKind = "json_schema" // JSON of a schema
)

// Tool is a function that the model may call.
type Tool struct {
	Name, Description string
	// Schema is the JSON Schema of the arguments; nil takes none.
	Schema json.RawMessage
	// Strict asks for arguments that adhere exactly; nil is not stated.
	Strict *bool
	Cache  Cache
	// Custom tells a tool whose input is free text instead of JSON (OpenAI);
	// Grammar is its format, if one was given.
	Custom  bool
	Grammar json.RawMessage
	// Server names a tool that the provider itself runs ("web_search_20250305",
	// "code_interpreter", "googleSearch"), "" for the client's own. Raw is its
	// whole declaration; only the protocol that it was written for knows it.
	Server string
	Raw    json.RawMessage
	// Field is where it stands in the client's body.
	Field string
}

// ToolMode says whether tools are called.
type ToolMode string

// The modes of a [ToolChoice].
const (
	ToolDefault  ToolMode = ""         // not stated
	ToolAuto     ToolMode = "auto"     // the model decides
	ToolNone     ToolMode = "none"     // no tool may be called
	ToolRequired ToolMode = "required" // some tool must be called
	ToolNamed    ToolMode = "named"    // the one named must be called
)

// ToolChoice says which tools are called.
type ToolChoice struct {
	Mode ToolMode
	// Name is the tool of ToolNamed.
	Name string
	// Allowed narrows ToolAuto and ToolRequired to these tools; empty is all.
	Allowed []string
	// Field is where it stands in the client's body.
	Field string
}

// Cache is a mark that the prompt up to here is worth caching, with its life.
type Cache string

// The lives of a cache mark.
const (
	CacheNone Cache = ""   // no mark
	Cache5m   Cache = "5m" // five minutes, the usual life
	Cache1h   Cache = "1h" // one hour
)

// Split returns the parts of all system turns in order and the other turns, for
// protocols that know instructions at the beginning only. It does not change c,
// and turns may be its own.
func (c *Chat) Split() (system []Part, turns []Turn) {
	if !slices.ContainsFunc(c.Turns, func(t Turn) bool { return t.Role == RoleSystem }) {
		return nil, c.Turns
	}
	turns = make([]Turn, 0, len(c.Turns))
	for _, t := range c.Turns {
		if t.Role == RoleSystem {
			system = append(system, t.Parts...)
			continue
		}
		turns = append(turns, t)
	}
	return system, turns
}

// Merged joins neighbours of the same role, for protocols whose roles alternate.
// It does not change turns, and returns them where there is nothing to join.
func Merged(turns []Turn) []Turn {
	if alternate(turns) {
		return turns
	}
	merged := make([]Turn, 0, len(turns))
	for _, t := range turns {
		if last := len(merged) - 1; last >= 0 && merged[last].Role == t.Role {
			parts := merged[last].Parts
			merged[last].Parts = append(parts[:len(parts):len(parts)], t.Parts...)
			continue
		}
		merged = append(merged, t)
	}
	return merged
}

// alternate reports whether no neighbours have the same role.
func alternate(turns []Turn) bool {
	for i := 1; i < len(turns); i++ {
		if turns[i].Role == turns[i-1].Role {
			return false
		}
	}
	return true
}
