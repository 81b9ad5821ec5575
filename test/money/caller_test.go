package money_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// receipt is what a client saw of one call.
type receipt struct {
	number int64
	id     sluice.RequestID // zero when no head arrived
	status int              // 0 when no head arrived
	chunks int              // pieces of content
	last   bool             // the end of the answer arrived
	body   string           // of a refusal
	err    error
	took   time.Duration
}

// callers make calls, each with a number of its own, and keep what they saw. They
// are safe for concurrent use.
type callers struct {
	http     http.Client
	next     atomic.Int64
	mu       sync.Mutex
	receipts []receipt
	reading  map[int64]int // pieces that running calls have seen, by number
}

// newCallers returns callers that share no connection, so that none is cut by
// what happens to another.
func newCallers() *callers {
	return &callers{reading: map[int64]int{}, http: http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}}
}

// order is one call to make.
type order struct {
	gateway, token string
	plan           plan
	whole          bool // without a stream
	number         int64
	// gone is after how many pieces the client hangs up; -1 is at once.
	gone int
}

// call makes one call and keeps what was seen.
func (c *callers) call(ctx context.Context, o order) receipt {
	if o.number == 0 {
		o.number = c.next.Add(1)
	}
	began := time.Now()
	r := c.ask(ctx, o)
	r.took = time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receipts = append(c.receipts, r)
	return r
}

func (c *callers) ask(ctx context.Context, o order) (r receipt) {
	r.number = o.number
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prompt, _ := json.Marshal(o.plan)
	content, _ := json.Marshal(string(prompt))
	body := fmt.Sprintf(`{"model":"m","max_tokens":%d,"stream":%t,"messages":[{"role":"user","content":%s}]}`, numbered+o.number, !o.whole, content)
	req, err := http.NewRequestWithContext(ctx, "POST", o.gateway+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		r.err = err
		return r
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		r.err = err
		return r
	}
	defer resp.Body.Close()
	r.status = resp.StatusCode
	if r.id, err = sluice.ParseRequestID(resp.Header.Get("X-Request-Id")); err != nil {
		r.err = err
	}
	c.read(&r, resp, o, cancel)
	return r
}

// seen is how many pieces of a running call have arrived.
func (c *callers) seen(number int64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reading[number]
}

// read reads the answer, or as much of it as the client wants.
func (c *callers) read(r *receipt, resp *http.Response, o order, cancel func()) {
	if r.status != http.StatusOK || o.whole {
		b, err := io.ReadAll(resp.Body)
		r.body, r.err, r.last = string(b), err, err == nil
		return
	}
	if o.gone < 0 {
		cancel()
		return
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		r.last = r.last || line == "data: [DONE]"
		if strings.Contains(line, `"content":"word"`) {
			r.chunks++
			c.mu.Lock()
			c.reading[r.number] = r.chunks
			c.mu.Unlock()
		}
		if o.gone > 0 && r.chunks >= o.gone {
			cancel()
			return
		}
	}
	r.err = lines.Err()
}

// all returns what was seen so far.
func (c *callers) all() []receipt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]receipt(nil), c.receipts...)
}

// load has n clients call until the returned function is called, which waits for
// their last answers. A client that was not answered takes a breath.
func (c *callers) load(ctx context.Context, n int, next func() order) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan struct{})
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-asked:
					return
				default:
				}
				if r := c.call(ctx, next()); r.status != http.StatusOK {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	return func() {
		close(asked)
		running.Wait()
		cancel()
	}
}
