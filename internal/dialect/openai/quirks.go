package openai

// quirks are what one provider of this protocol makes of the members that the
// others disagree on. The zero value of each says that the provider has no such
// thing, so a row of the table lists what its documentation promises.
type quirks struct {
	// cap is the member that caps an answer: max_tokens or
	// max_completion_tokens.
	cap string
	// silent tells that stream_options is refused.
	silent bool
	// hottest is the highest temperature, 0 for 2, coldest the lowest.
	hottest, coldest float64
	// stops is how many stop sequences are taken, 0 for 4.
	stops int
	// topK, seed and user are the names of these members, "" where there is no
	// such thing.
	topK, seed, user string
	// frequency, presence and many tell that frequency_penalty,
	// presence_penalty and n are taken.
	frequency, presence, many bool
	// logprobs tells that the probabilities of tokens are told, in OpenAI's shape.
	logprobs bool
	// choice, required, named, allowed and parallel tell which ways of choosing
	// tools are taken: tool_choice at all (auto and none), required, one tool by
	// name, allowed_tools, and parallel_tool_calls.
	choice, required, named, allowed, parallel bool
	// strict tells that functions may be strict, custom that tools of free
	// text are known; elsewhere these become functions with one argument.
	strict, custom bool
	// objects and schemas tell which formats of answers are known.
	objects, schemas bool
	// thinking is how reasoning is switched.
	thinking thinking
	// replays is the member in which earlier thoughts are sent back, "" where
	// they are not wanted.
	replays string
	// signs tells that calls carry the signatures of Gemini.
	signs bool
	// images, audio, video and files are the media that are taken; addresses
	// tells that a file may be one.
	images, audio, video, files, addresses bool
	// inline tells that nothing is fetched: media come as data.
	inline bool
	// marks tells that cache_control is taken on parts.
	marks bool
	// leading tells that instructions may only stand at the beginning.
	leading bool
	// shortIDs tells that ids of calls are nine letters and digits.
	shortIDs bool
	// selective tells that only some models think, and that these take the
	// usual sampling only (OpenAI's own).
	selective bool
	// packs tells that embeddings come as base64.
	packs bool
	// extras are the members that pass as the client wrote them.
	extras []string
	// always are members that every chat has, as pairs of name and JSON.
	always [][2]string
}

// thinking is a way to say how much a model thinks.
type thinking string

// The ways.
const (
	thinkNever    thinking = ""                     // no member for it
	thinkEffort   thinking = "reasoning_effort"     // "reasoning_effort":"high"
	thinkObject   thinking = "reasoning"            // "reasoning":{"effort":"high"} (OpenRouter)
	thinkSwitch   thinking = "thinking"             // "thinking":{"type":"enabled"}
	thinkFlag     thinking = "enable_thinking"      // "enable_thinking":true,"thinking_budget":1024
	thinkTemplate thinking = "chat_template_kwargs" // "chat_template_kwargs":{"enable_thinking":true,...}
)
