package main

import (
	"fmt"
	"strings"
)

// messagesAnswer is what the mock says as Anthropic's API, whole: the same text
// and usage as chatAnswer.
var messagesAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"` +
	strings.Repeat("answer ", 80) + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":80,"output_tokens":90}}`

// messagesEvents is that API's stream with as many pieces of text as the one of
// the client's surface with so many events has: all but usage and end.
func messagesEvents(of int) (list [][]byte) {
	add := func(kind, data string) {
		list = append(list, fmt.Appendf(nil, "event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, data))
	}
	add("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"usage":{"input_tokens":80,"output_tokens":1}}`)
	add("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	for range of - 2 {
		add("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"`+strings.Repeat("x", 20)+`"}`)
	}
	add("content_block_stop", `,"index":0`)
	add("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":90}`)
	add("message_stop", "")
	return list
}

// openedWith joins what comes before the first piece of text, and what comes
// after the last one, with their neighbours: a provider sends them together.
func openedWith(list [][]byte) [][]byte {
	first := append(append(list[0], list[1]...), list[2]...)
	last := list[len(list)-4]
	for _, e := range list[len(list)-3:] {
		last = append(last, e...)
	}
	return append(append([][]byte{first}, list[3:len(list)-4]...), last)
}
