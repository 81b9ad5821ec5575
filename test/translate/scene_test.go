// Package translate_test is the matrix of translations: every surface in front
// of every dialect, scenario by scenario, streamed and whole. The gateway is the
// real one, on a real listener; the providers are scripts that refuse what the
// real ones refuse. Neither the scripts nor the checkers of the answers share
// code with the codecs.
package translate_test

import (
	"strings"

	"github.com/sluicegate/sluice"
)

// Reasons why a scripted model stops, in no protocol's words.
const (
	stopEnd      = "end"
	stopCalls    = "calls"
	stopLength   = "length"
	stopFilter   = "filter"
	stopRefusal  = "refusal"
	stopSequence = "sequence"
)

// Faults that a provider has in the middle of its work.
const (
	faultBefore = "before" // an error before any content
	faultAfter  = "after"  // an error behind the first content
	faultCut    = "cut"    // the connection ends in order, the answer does not
	faultReset  = "reset"  // the connection breaks
)

// call is one call of a tool; args is JSON.
type call struct{ id, name, args string }

// result is what a tool answered to the call of that name and arguments.
type result struct {
	call  int // which of the calls of the first round
	text  string
	image bool
}

// said is an answer of a model.
type said struct {
	thought, signature string
	text, refusal      string
	calls              []call
	stop, sequence     string
	usage              sluice.Usage
}

// ask is what a client wants, in no protocol's words.
type ask struct {
	text                string
	imageURL, imageData bool
	tools               bool
	schema              bool
	think               bool
	stop                string
}

// scene is one scenario: what is asked, what the model answers, and where there
// are results, the second round.
type scene struct {
	name    string
	ask     ask
	says    said
	results []result
	then    said
	fault   string
	// cut is the most bytes that the provider sends at once, 0 for a mixture.
	cut int
	// backup puts a second target behind the failing one.
	backup bool
}

// What the scripts and the checks agree on.
const (
	system    = "Answer in one line."
	imageURL  = "https://images.example/cat.png"
	imageData = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
	schema    = `{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"],"additionalProperties":false}`
	odd       = "Grüß dich, 世界 🙂 — \"quoted\" \\ <b>&amp;\u2028\n\tdone"
	endMark   = "END"
)

// tools are what the client offers: one with arguments, one without.
var tools = []struct{ name, about, schema string }{
	{"weather", "Tells the weather.", `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}`},
	{"now", "Tells the time.", `{"type":"object","properties":{}}`},
}

var (
	oslo  = call{name: "weather", args: `{"city":"Oslo"}`}
	turku = call{name: "weather", args: `{"city":"Åbo \"Turku\""}`}
	now   = call{name: "now", args: `{}`}
)

// some is the usual usage.
var some = sluice.Usage{Input: 20, Output: 9}

// scenes are all scenarios.
var scenes = []scene{
	{name: "text", says: said{text: odd, stop: stopEnd, usage: some}},
	{name: "long", says: said{text: strings.Repeat("All work and no play. ", 3000), stop: stopEnd, usage: sluice.Usage{Input: 20, Output: 16000}}},
	{name: "cached tokens", says: said{text: "Yes.", stop: stopEnd, usage: sluice.Usage{Input: 24, CachedInput: 1000, CacheWrite5m: 40, CacheWrite1h: 10, Output: 5}}},
	{name: "one tool", ask: ask{tools: true},
		says:    said{calls: []call{oslo}, stop: stopCalls, usage: some},
		results: []result{{call: 0, text: "rain in Oslo"}}, then: said{text: "It rains.", stop: stopEnd, usage: some}},
	{name: "parallel tools with text", ask: ask{tools: true},
		says:    said{text: "Let me look.", calls: []call{oslo, turku}, stop: stopCalls, usage: some},
		results: []result{{call: 0, text: "rain in Oslo"}, {call: 1, text: "sun in Turku"}}, then: said{text: "Mixed.", stop: stopEnd, usage: some}},
	{name: "tool without arguments", ask: ask{tools: true},
		says:    said{calls: []call{now}, stop: stopCalls, usage: some},
		results: []result{{call: 0, text: "noon"}}, then: said{text: "It is noon.", stop: stopEnd, usage: some}},
	{name: "tool results out of order", ask: ask{tools: true},
		says:    said{calls: []call{oslo, turku, now}, stop: stopCalls, usage: some},
		results: []result{{call: 2, text: "noon"}, {call: 1, text: "sun in Turku"}, {call: 0, text: "rain in Oslo"}}, then: said{text: "Mixed.", stop: stopEnd, usage: some}},
	{name: "tool results with images", ask: ask{tools: true},
		says:    said{calls: []call{oslo, turku}, stop: stopCalls, usage: some},
		results: []result{{call: 1, text: "sun in Turku", image: true}, {call: 0, text: "rain in Oslo"}}, then: said{text: "Mixed.", stop: stopEnd, usage: some}},
	{name: "reasoning", ask: ask{tools: true, think: true},
		says:    said{thought: "The user wants the weather.\nI should look.", signature: "U2lnbmVkLWJ5LW1l", calls: []call{oslo}, stop: stopCalls, usage: sluice.Usage{Input: 20, Output: 9, Reasoning: 30}},
		results: []result{{call: 0, text: "rain in Oslo"}}, then: said{thought: "Rain, then.", signature: "U2lnbmVkLWFnYWlu", text: "It rains.", stop: stopEnd, usage: sluice.Usage{Input: 50, Output: 3, Reasoning: 6}}},
	{name: "length", says: said{text: "Half a sen", stop: stopLength, usage: some}},
	{name: "filter", says: said{text: "Well, ", stop: stopFilter, usage: some}},
	{name: "refusal", says: said{refusal: "I cannot help with that.", stop: stopRefusal, usage: some}},
	{name: "stop sequence", ask: ask{stop: endMark}, says: said{text: "Before the mark ", stop: stopSequence, sequence: endMark, usage: some}},
	{name: "json schema", ask: ask{schema: true}, says: said{text: `{"city":"Oslo","days":2}`, stop: stopEnd, usage: some}},
	{name: "image by URL", ask: ask{imageURL: true}, says: said{text: "A cat.", stop: stopEnd, usage: some}},
	{name: "image by data", ask: ask{imageData: true}, says: said{text: "A dot.", stop: stopEnd, usage: some}},
	{name: "empty", says: said{stop: stopEnd, usage: sluice.Usage{Input: 20}}},
	{name: "bytes split anywhere", ask: ask{tools: true}, cut: 1,
		says:    said{text: odd, calls: []call{turku}, stop: stopCalls, usage: some},
		results: []result{{call: 0, text: "sun in Turku"}}, then: said{text: odd, stop: stopEnd, usage: some}},
	{name: "error before content", fault: faultBefore},
	{name: "error before content with two targets", fault: faultBefore, backup: true, says: said{text: "From the other.", stop: stopEnd, usage: some}},
	{name: "error after content", fault: faultAfter, says: said{text: "Not all of", usage: some}},
	{name: "cut connection", fault: faultCut, says: said{text: "Not all of", usage: some}},
	{name: "broken connection", fault: faultReset, says: said{text: "Not all of", usage: some}},
}

// pieces cuts a text as a model streams it.
func pieces(text string) (list []string) {
	size := max(4, len(text)/100)
	piece := ""
	for _, r := range text {
		if piece += string(r); len(piece) >= size {
			list, piece = append(list, piece), ""
		}
	}
	if piece != "" {
		list = append(list, piece)
	}
	return list
}

// prompt is the user's words, by which the scripts know their scene.
func (s *scene) prompt() string {
	return "scene=" + strings.ReplaceAll(s.name, " ", "-") + ";" + s.ask.text
}

// sceneOf finds the scene that a request belongs to.
func sceneOf(body string) *scene {
	_, rest, ok := strings.Cut(body, "scene=")
	name, _, more := strings.Cut(rest, ";")
	for i := range scenes {
		if ok && more && strings.ReplaceAll(scenes[i].name, " ", "-") == name {
			return &scenes[i]
		}
	}
	return nil
}
