package responses

import (
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// echoed are the members of the request that an answer repeats, with what an
// answer says of those that were not given.
var echoed = []struct{ name, absent string }{
	{"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"parallel_tool_calls", "true"},
	{"reasoning", `{"effort":null,"summary":null}`}, {"temperature", "null"}, {"text", `{"format":{"type":"text"}}`},
	{"tool_choice", `"auto"`}, {"tools", "[]"}, {"top_logprobs", "0"}, {"top_p", "null"}, {"truncation", `"disabled"`},
	{"user", "null"}, {"safety_identifier", "null"}, {"prompt_cache_key", "null"}, {"metadata", "{}"},
}

// fixed are members that are the same in all answers: nothing is stored.
const fixed = `,"background":false,"previous_response_id":null,"store":false`

// echoes returns the members that an answer repeats, on one line, each behind a
// comma.
func (f *Front) echoes() []byte {
	if f.echo != nil {
		return f.echo
	}
	given := map[string]jsonscan.Value{}
	for m := jsonscan.Document(f.body); m.Next(); {
		given[string(m.Key())] = m.Value()
	}
	f.echo = []byte(fixed)
	for _, e := range echoed {
		f.echo = append(append(append(f.echo, `,"`...), e.name...), `":`...)
		if v := given[e.name]; v.Kind != jsonscan.None && v.Kind != jsonscan.Null {
			f.echo = append(f.echo, compact(v.In(f.body))...)
		} else {
			f.echo = append(f.echo, e.absent...)
		}
	}
	return f.echo
}
