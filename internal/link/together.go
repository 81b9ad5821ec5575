package link

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxFlight bounds the scripts that share one exchange with Redis.
	maxFlight = 128
	// laterDelay is how long what nobody waits for waits for company.
	laterDelay = time.Millisecond
)

// together sends scripts that many callers want run at about the same time in one
// exchange with Redis: while one exchange is on its way, the next one gathers. The
// scripts run one by one, in the order in which they were asked for. It owns no
// goroutine: the first caller sends for all of them, and passes that on. It is
// safe for concurrent use.
type together struct {
	client redis.UniversalClient
	// timeout bounds an exchange; a caller waits for two at most.
	timeout time.Duration
	// breaker and note: whether to try, and how it went.
	allow func() bool
	note  func(error)
	// lost is told of scripts that nobody waited for and that did not run.
	lost func(n int, err error)
	// scripts are those that will be asked for.
	scripts []*redis.Script
	// loaded says that the server had them; whoever sends owns it.
	loaded bool
	// room bounds what waits without a caller.
	room int

	mu      sync.Mutex
	leading bool // somebody sends
	waiting []*question
	later   int // of waiting, those without a caller
	timed   bool
	empty   chan struct{} // closed when nothing is left to do; nil until somebody asks
}

// question is one script to run.
type question struct {
	script *redis.Script
	keys   []string
	args   []any
	reply  *redis.Cmd
	// whole says that the server does not know the script by its hash.
	whole bool
	// wake tells its caller that it was answered (false) or is to send (true);
	// nil when nobody waits.
	wake chan bool
}

// ask runs a script and waits for its reply.
func (t *together) ask(q *question) *redis.Cmd {
	q.wake = make(chan bool, 1)
	t.mu.Lock()
	t.waiting = append(t.waiting, q)
	lead := !t.leading
	t.leading = true
	t.mu.Unlock()
	if lead || <-q.wake {
		t.lead(q)
	}
	return q.reply
}

// leave runs a script soon and waits for nothing; false when too many wait.
func (t *together) leave(q *question) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.later >= t.room {
		return false
	}
	t.later++
	t.waiting = append(t.waiting, q)
	if !t.leading {
		t.startTimer()
	}
	return true
}

// startTimer has what nobody waits for sent soon; t is locked.
func (t *together) startTimer() {
	if !t.timed {
		t.timed = true
		time.AfterFunc(laterDelay, t.flush) // ends with the exchange, which timeout bounds
	}
}

// flush sends what no caller has taken along.
func (t *together) flush() {
	t.mu.Lock()
	t.timed = false
	lead := !t.leading && len(t.waiting) > 0
	t.leading = t.leading || lead
	t.mu.Unlock()
	if lead {
		t.lead(nil)
	}
}

// lead sends exchanges until the own question is answered, then lets the next
// caller send, if there is one.
func (t *together) lead(own *question) {
	for answered := false; !answered; {
		batch := t.board()
		t.run(batch)
		answered = own == nil
		for _, q := range batch {
			switch {
			case q == own:
				answered = true
			case q.wake != nil:
				q.wake <- false
			}
		}
	}
	t.pass()
}

// board takes what goes with the next exchange.
func (t *together) board() []*question {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.waiting), maxFlight)
	batch := t.waiting[:n:n]
	t.waiting = t.waiting[n:]
	if len(t.waiting) == 0 {
		t.waiting = nil
	}
	for _, q := range batch {
		if q.wake == nil {
			t.later--
		}
	}
	return batch
}

// pass makes the first caller that waits the one who sends.
func (t *together) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, q := range t.waiting {
		if q.wake != nil {
			q.wake <- true
			return
		}
	}
	t.leading = false
	if len(t.waiting) > 0 {
		t.startTimer()
	} else if t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

// run makes one exchange and gives every question its reply.
func (t *together) run(batch []*question) {
	if !t.allow() {
		t.fail(batch, errLeftAlone)
		t.tellLost(batch)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	if err := t.load(ctx); isLost(err) {
		t.fail(batch, err)
	} else {
		t.exchange(ctx, batch)
		if unknown := unknownTo(batch); len(unknown) > 0 { // it was restarted
			t.exchange(ctx, unknown)
		}
	}
	err := worst(batch)
	t.loaded = t.loaded && !isLost(err)
	t.note(err)
	t.tellLost(batch)
}

// load gives a server the scripts before they are asked for by their hash: one
// that it did not know would run after those behind it.
func (t *together) load(ctx context.Context) error {
	if t.loaded {
		return nil
	}
	for _, s := range t.scripts {
		if err := s.Load(ctx, t.client).Err(); err != nil {
			return err
		}
	}
	t.loaded = true
	return nil
}

// exchange sends all questions at once.
func (t *together) exchange(ctx context.Context, batch []*question) {
	pipe := t.client.Pipeline()
	for _, q := range batch {
		if q.whole {
			q.reply = q.script.Eval(ctx, pipe, q.keys, q.args...)
		} else {
			q.reply = q.script.EvalSha(ctx, pipe, q.keys, q.args...)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		for _, q := range batch {
			if q.reply.Err() == nil && q.reply.Val() == nil {
				q.reply.SetErr(err)
			}
		}
	}
}

// unknownTo returns the questions whose script the server does not know by its
// hash; they go again with the script itself.
func unknownTo(batch []*question) (list []*question) {
	for _, q := range batch {
		if redis.HasErrorPrefix(q.reply.Err(), "NOSCRIPT") {
			q.whole = true
			list = append(list, q)
		}
	}
	return list
}

// fail answers all questions with an error.
func (t *together) fail(batch []*question, err error) {
	for _, q := range batch {
		q.reply = redis.NewCmd(context.Background())
		q.reply.SetErr(err)
	}
}

// tellLost reports what did not run and nobody waits for.
func (t *together) tellLost(batch []*question) {
	n, cause := 0, error(nil)
	for _, q := range batch {
		if err := q.reply.Err(); q.wake == nil && err != nil {
			n, cause = n+1, err
		}
	}
	if n > 0 {
		t.lost(n, cause)
	}
}

// worst is the error that says most about the server: that it was not reached,
// rather than what it thinks of one script.
func worst(batch []*question) (err error) {
	for _, q := range batch {
		if failed := q.reply.Err(); failed != nil {
			if err = failed; isLost(failed) {
				return err
			}
		}
	}
	return err
}

// isLost reports whether nothing can be had of the server now.
func isLost(err error) bool {
	var reply redis.Error
	return err != nil && (!errors.As(err, &reply) || isAway(err))
}

// drain waits until nothing waits to be sent, or ctx is done, and returns how
// many are left.
func (t *together) drain(ctx context.Context) int {
	t.mu.Lock()
	if !t.leading && len(t.waiting) == 0 {
		t.mu.Unlock()
		return 0
	}
	if t.empty == nil {
		t.empty = make(chan struct{})
	}
	empty := t.empty
	t.mu.Unlock()
	select {
	case <-empty:
		return 0
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}
