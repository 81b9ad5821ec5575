package main

import (
	"fmt"
	"strings"
	"time"
)

// workload is one kind of traffic and how it is measured.
type workload struct {
	Name string
	// About is what the table says of it.
	About string
	// Path, Body and Auth make the request; Auth goes to the gateway only when
	// it checks keys, nginx ignores it.
	Path, Body string
	// Answer is how many body bytes a right answer has, Events how many events.
	Answer, Events int
	// Clients is how many connections ask at once.
	Clients int
	// Rate, when set, is an open loop of so many requests a second.
	Rate int
	// Once: each client asks once; otherwise again until the time is over.
	Once bool
	// Unit is what CPU is divided by: "request" or "event".
	Unit string
	// Needs is what a right answer contains, for answers whose length or number
	// of events is the gateway's own: it translates another dialect's. nginx
	// forwards the same request to an upstream that speaks the client's.
	Needs string
	// Limited asks as a tenant whose spending has a limit.
	Limited bool
	// Skips names a peer that cannot do it.
	Skips string
	// Lasts is how long a run that is asked once takes.
	Lasts time.Duration
	// Most bounds the memory of a stream, in KiB; 0 without a goal.
	Most float64
	// Cost bounds CPU itself, in microseconds per unit; 0 without a goal.
	Cost float64
	// Ingest is how many requests a second the books are to take; 0 without a goal.
	Ingest float64
	// Goal is the ratio to nginx that is asked for; 0 without one.
	Goal float64
	// Settle is how long a gateway is left alone before its idle memory is
	// taken, the least over that time.
	Settle time.Duration
}

const (
	plainAnswer = 1 << 10
	burstEvents = 50
	slowEvents  = 20
	slowPause   = 100 * time.Millisecond
	// many streams at once are slower ones, so that upstream and load keep up.
	manyClients = 5000
	manyEvents  = 10
	manyPause   = 500 * time.Millisecond
	// settle is behind the 3 s after which a process lets go of what only its start
	// needed.
	settle = 8 * time.Second
	// imageBytes is an image as a client sends it, in base64.
	imageBytes = 1 << 20
	eventBytes = 160
)

// workloads are all there are, in the order of the table.
func workloads() []workload {
	plain := strings.Repeat("p", 1<<10)
	return []workload{
		{Name: "plain", About: "1 KB POST, saturated", Path: "/plain", Body: plain, Answer: plainAnswer, Clients: 32, Unit: "request", Goal: 1.2},
		{Name: "chat", About: "LLM chat, whole answer", Path: chatPath, Body: chatBody("bench", false), Answer: len(chatAnswer), Clients: 32, Unit: "request", Goal: 1.5},
		{Name: "money", About: "LLM chat, limited and durable", Path: chatPath, Body: chatBody("bench", false), Answer: len(chatAnswer), Clients: 64, Limited: true, Skips: "gateway", Unit: "request", Goal: 2},
		{Name: "burst", About: "LLM stream, 50 events at once", Path: chatPath, Body: chatBody("bench", true), Events: burstEvents, Clients: 32, Unit: "event"},
		{Name: "slow", About: "1000 streams, 20 events, 100 ms apart", Path: chatPath, Body: chatBody("bench-slow", true), Events: slowEvents, Clients: 1000, Once: true, Unit: "event", Goal: 1.2, Settle: settle, Lasts: slowEvents * slowPause, Most: 24},
		{Name: "open", About: "open loop, 2000 requests a second", Path: "/plain", Body: plain, Answer: plainAnswer, Clients: 64, Rate: 2000, Unit: "request", Goal: 1.2},
		{Name: "big", About: "200 KB request body", Path: "/plain", Body: strings.Repeat("b", 200<<10), Answer: plainAnswer, Clients: 16, Unit: "request", Goal: 1.3},
		{Name: "tchat", About: "chat translated for Anthropic", Path: chatPath, Body: chatBody("claude", false), Needs: `"completion_tokens":90`, Clients: 32, Skips: "wire", Unit: "request", Goal: 3},
		{Name: "tburst", About: "translated stream, 50 events at once", Path: chatPath, Body: chatBody("claude", true), Events: burstEvents, Needs: streamEnd, Clients: 32, Skips: "wire", Unit: "event", Goal: 2},
		{Name: "timage", About: "1 MB image in base64, translated", Path: chatPath, Body: imageBody("claude"), Needs: `"completion_tokens":90`, Clients: 8, Skips: "wire", Unit: "request"},
		{Name: "tmany", About: "5000 translated streams, 10 events, 500 ms apart", Path: chatPath, Body: chatBody("claude-slow", true), Events: manyEvents, Needs: streamEnd, Clients: manyClients, Once: true, Skips: "wire", Unit: "event", Goal: 2, Settle: settle, Lasts: manyEvents * manyPause, Most: 32},
	}
}

// chatPath is where the workloads that speak to models ask.
const chatPath = "/v1/chat/completions"

// streamEnd ends every stream of that surface.
const streamEnd = "data: [DONE]"

// imageBody is a chat request with an image.
func imageBody(model string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},`+
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`, model, strings.Repeat("iVBORw0K", imageBytes/8))
}

// chatBody is a chat request of about 600 bytes.
func chatBody(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":%q}]}`, model, stream, strings.Repeat("please ", 72))
}

// chatAnswer is a whole chat completion, usage included.
var chatAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"` +
	strings.Repeat("answer ", 80) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":80,"completion_tokens":90,"total_tokens":170}}`

// event is one stream event of a fixed size; the last but one carries usage.
func event(n, of int) string {
	if n == of-1 {
		return "data: [DONE]\n\n"
	}
	if n == of-2 {
		return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],"usage":{"prompt_tokens":80,"completion_tokens":90,"total_tokens":170}}` + "\n\n"
	}
	head := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"content":"`
	const tail = `"}}]}` + "\n\n"
	return head + strings.Repeat("x", eventBytes-len(head)-len(tail)) + tail
}
