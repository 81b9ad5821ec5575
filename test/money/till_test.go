package money_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// numbered is what the number of a call is added to to become its max_tokens.
// The number so reaches the upstream and, in the hold of its OPEN, the journal:
// both logs name the call, whatever the client got to see.
const numbered = 100_000

// plan is what the upstream does with one call; it travels in the prompt.
type plan struct {
	// Chunks is how many pieces a stream has, of one token each, and Pace the pause
	// after each, in milliseconds.
	Chunks int `json:"chunks,omitempty"`
	Pace   int `json:"pace,omitempty"`
	// Hold is where the upstream stops until the test lets it go on: one of the
	// stages below.
	Hold string `json:"hold,omitempty"`
}

// Where a call can be held.
const (
	beforeHead  = "before the head"
	afterFirst  = "after the first byte"
	midStream   = "in the middle of the stream"
	beforeUsage = "before the usage"
	afterUsage  = "after the usage"
	nowhere     = ""
)

// sale is what the upstream's own log says of one call.
type sale struct {
	number int64
	calls  int // how often the call was made: more than once is a retry
	chunks int // pieces of content that were sent
	// input and output are the usage that the upstream states, or would.
	input, output int64
	stated, done  bool
}

// till is an upstream with a log of its own of what it served. It is safe for
// concurrent use and closed with the test.
type till struct {
	*httptest.Server
	mu      sync.Mutex
	sales   map[int64]*sale
	reached chan int64    // numbers of calls that are held
	open    chan struct{} // closed when held calls may go on
	active  int
}

func newTill(t *testing.T) *till {
	t.Helper()
	l := &till{sales: map[int64]*sale{}, reached: make(chan int64, 4096), open: make(chan struct{})}
	l.Server = httptest.NewServer(l)
	t.Cleanup(func() {
		l.release()
		l.CloseClientConnections()
		l.Close()
	})
	return l
}

// release lets all calls that are held go on, and holds those that come.
func (l *till) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.open)
	l.open = make(chan struct{})
}

// running is how many calls are being answered.
func (l *till) running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active
}

// all returns the log.
func (l *till) all() map[int64]sale {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[int64]sale, len(l.sales))
	for n, s := range maps.All(l.sales) {
		out[n] = *s
	}
	return out
}

// usage is what the upstream bills a call for; the input is unlike that of every
// other call.
func usage(number int64, chunks int) (input, output int64) { return 1_000 + number, int64(chunks) + 5 }

// ServeHTTP answers one call as its plan says.
func (l *till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Stream    bool
		MaxTokens int64 `json:"max_tokens"`
		Messages  []struct{ Content string }
	}
	var p plan
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || len(ask.Messages) != 1 || json.Unmarshal([]byte(ask.Messages[0].Content), &p) != nil {
		http.Error(w, "this upstream takes one message that is a plan", http.StatusBadRequest)
		return
	}
	s := l.begin(ask.MaxTokens-numbered, p)
	defer l.end()
	c := &counter{till: l, sale: s, plan: p, w: w, r: r}
	if ask.Stream {
		c.stream()
	} else {
		c.whole()
	}
}

// begin logs that a call arrived.
func (l *till) begin(number int64, p plan) *sale {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sales[number]
	if s == nil {
		s = &sale{number: number}
		l.sales[number] = s
	}
	s.calls++
	s.input, s.output = usage(number, p.Chunks)
	l.active++
	return s
}

func (l *till) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active--
}

// counter answers one call.
type counter struct {
	till *till
	sale *sale
	plan plan
	w    http.ResponseWriter
	r    *http.Request
	gone bool
}

// note writes to the log; it precedes what it tells of.
func (c *counter) note(change func(*sale)) {
	c.till.mu.Lock()
	defer c.till.mu.Unlock()
	change(c.sale)
}

// stop waits at a stage until the test goes on or the caller is gone.
func (c *counter) stop(stage string) {
	if c.plan.Hold != stage || c.gone {
		return
	}
	c.till.mu.Lock()
	open := c.till.open
	c.till.mu.Unlock()
	c.till.reached <- c.sale.number
	select {
	case <-open:
	case <-c.r.Context().Done():
		c.gone = true
	}
}

// send sends one event of a stream.
func (c *counter) send(event string) {
	if c.gone || c.r.Context().Err() != nil {
		c.gone = true
		return
	}
	if _, err := fmt.Fprintf(c.w, "data: %s\n\n", event); err != nil {
		c.gone = true
		return
	}
	c.w.(http.Flusher).Flush()
}

// chunk is an event of a stream; four bytes of content are about a token.
const chunk = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}`

func (c *counter) stream() {
	c.stop(beforeHead)
	if c.gone {
		return
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	for i := range c.plan.Chunks {
		c.note(func(s *sale) { s.chunks++ })
		c.send(chunk)
		switch i {
		case 0:
			c.stop(afterFirst)
		case c.plan.Chunks / 2:
			c.stop(midStream)
		}
		c.pause()
	}
	c.stop(beforeUsage)
	c.send(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	if !c.gone {
		c.note(func(s *sale) { s.stated = true })
	}
	c.send(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":` + c.usage() + `}`)
	c.stop(afterUsage)
	c.send("[DONE]")
	if !c.gone {
		c.note(func(s *sale) { s.done = true })
	}
}

// pause keeps the pace of a stream.
func (c *counter) pause() {
	if c.plan.Pace == 0 || c.gone {
		return
	}
	timer := time.NewTimer(time.Duration(c.plan.Pace) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.r.Context().Done():
		c.gone = true
	}
}

func (c *counter) whole() {
	c.stop(beforeHead)
	if c.gone {
		return
	}
	c.note(func(s *sale) { s.chunks, s.stated, s.done = c.plan.Chunks, true, true })
	c.w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(c.w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"word"},"finish_reason":"stop"}],"usage":%s}`, c.usage())
}

// usage renders what the upstream states.
func (c *counter) usage() string {
	s := c.sale
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, s.input, s.output, s.input+s.output)
}
