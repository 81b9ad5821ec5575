package sdk_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The conversations of the suites are their own scripts: a user's text that
// begins with [scriptWord] says, a line per answer, what the provider does. Text
// survives every translation, so that each suite states in its own language what
// it then expects, and the providers need no list of cases.
//
//	script
//	think It rains often. && say Let me look. && call get_weather {"city":"Paris"}
//	call get_weather {"city":"Rome"} && call get_weather {"city":"Oslo"}
//	say $results
//
// The actions of a line are joined by " && ": say TEXT, think TEXT, call TOOL
// ARGUMENTS, fail STATUS, cut (the connection), length (the cap is met). In TEXT
// $results are the results of all tools so far, $images the types of the
// pictures that were seen, $schema the names of what the demanded JSON must
// hold, $signed how many thoughts came back with a signature that the provider
// made, $system the instructions.
const scriptWord = "script\n"

// action is one thing that the provider does.
type action struct{ verb, rest string }

// heard is what a provider understood of a request, whatever its protocol.
type heard struct {
	system  string
	script  []string // the lines
	step    int      // the answers that the conversation holds since the script
	results []string // of tools, in order
	images  []string // media types
	schema  []string // required members of the demanded JSON
	tools   []string // names
	signed  int
	stream  bool
}

// says takes a text of the user: a script begins anew, other text is ignored.
func (h *heard) says(text string) {
	if at := strings.LastIndex(text, scriptWord); at >= 0 {
		h.script, h.step = strings.Split(strings.TrimSpace(text[at+len(scriptWord):]), "\n"), 0
	}
}

// wants notes the schema that the answer must hold to.
func (h *heard) wants(schema json.RawMessage) error {
	var s struct{ Required []string }
	if err := json.Unmarshal(schema, &s); err != nil {
		return fmt.Errorf("the schema is no JSON object: %w", err)
	}
	h.schema = s.Required
	return nil
}

// thought reports whether the answer that the conversation holds last began with
// a thought.
func (h *heard) thought() bool {
	return h.step > 0 && h.step <= len(h.script) && strings.HasPrefix(h.script[h.step-1], "think ")
}

// actions are those of the answer that is due.
func (h *heard) actions() ([]action, error) {
	if h.step >= len(h.script) {
		return nil, fmt.Errorf("no line %d in the script %q: the conversation has lost its beginning or gained turns", h.step, h.script)
	}
	var all []action
	for _, one := range strings.Split(h.script[h.step], " && ") {
		verb, rest, _ := strings.Cut(strings.TrimSpace(one), " ")
		if verb == "call" {
			name, _, _ := strings.Cut(rest, " ")
			if !slices.Contains(h.tools, name) {
				return nil, fmt.Errorf("the tool %q is not among %q", name, h.tools)
			}
		}
		all = append(all, action{verb, h.fill(rest)})
	}
	return all, nil
}

// fill replaces the names that say what was heard.
func (h *heard) fill(text string) string {
	return strings.NewReplacer("$results", strings.Join(h.results, " | "), "$images", strings.Join(h.images, " "),
		"$schema", strings.Join(h.schema, ","), "$signed", strconv.Itoa(h.signed), "$system", h.system).Replace(text)
}

// call divides the rest of a call into name and arguments.
func (a action) call() (name, arguments string) {
	name, arguments, _ = strings.Cut(a.rest, " ")
	return name, arguments
}

// status is that of a failure, 0 where there is none.
func status(actions []action) int {
	if len(actions) == 0 || actions[0].verb != "fail" {
		return 0
	}
	n, err := strconv.Atoi(actions[0].rest)
	if err != nil {
		return 500
	}
	return n
}

// has reports whether one of the actions has the verb.
func has(actions []action, verb string) bool {
	return slices.ContainsFunc(actions, func(a action) bool { return a.verb == verb })
}

// halves cuts a text in two, for streams to show that pieces are joined.
func halves(s string) []string {
	if len(s) < 2 {
		return []string{s}
	}
	at := len(s) / 2
	for at < len(s) && s[at]&0xC0 == 0x80 { // not within a character
		at++
	}
	return []string{s[:at], s[at:]}
}

// sign is the provider's proof that a thought is its own.
func sign(provider, thought string) string {
	sum := sha256.Sum256([]byte(provider + thought))
	return hex.EncodeToString(sum[:16])
}

// Tokens of every answer; what a surface adds up differs, these do not.
const (
	tokensFresh   = 13 // input, not cached
	tokensCached  = 8
	tokensVisible = 5
	tokensThought = 4
	tokensCounted = 42 // what counting says
)
