package link

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Limits of access logs.
const (
	maxLogBytes   = 64 << 10 // one line
	logPause      = 100 * time.Millisecond
	logPauseMax   = 5 * time.Second
	logDrainLimit = 10 * time.Second
)

// AccessLog is one line that somebody else's gateway or a plugin sent. It is
// kept as it came; nothing is ever charged by it.
type AccessLog struct {
	Received time.Time       `json:"received"`
	Line     json.RawMessage `json:"line"`
}

// AccessLogSink keeps access logs.
type AccessLogSink interface {
	// InsertAccessLogs stores the batch before it returns nil, all of it or
	// nothing; a failed batch comes again.
	InsertAccessLogs(ctx context.Context, batch []AccessLog) error
}

// AccessLogConfig configures an [AccessLogs].
type AccessLogConfig struct {
	// Sink stores the lines; required.
	Sink AccessLogSink
	// PlaneToken authenticates the senders; [CheckPlaneToken] judges it.
	PlaneToken string
	// Queue is how many lines may wait (EZ_LOG_QUEUE); 0 means 10,000.
	Queue int
	// Batch is how many are stored at once (EZ_LOG_BATCH_SIZE); 0 means 10.
	Batch int
	// Flush is how long an incomplete batch waits (log.flush_ms); 0 means 1 s.
	Flush time.Duration
	// Log tells about a sink that fails; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// AccessLogs takes access logs over HTTP (POST /logs), queues them and stores
// them in batches. What it accepted it stores; what it cannot queue it refuses
// with 503 and Retry-After. It is safe for concurrent use.
type AccessLogs struct {
	cfg   AccessLogConfig
	queue chan AccessLog
	lost  atomic.Uint64

	// mu makes taking a post's lines one step, and guards the queue against a
	// send after it is closed.
	mu     sync.Mutex
	closed bool
}

// NewAccessLogs returns a queue that stores nothing before [AccessLogs.Run].
func NewAccessLogs(cfg AccessLogConfig) (*AccessLogs, error) {
	if err := CheckPlaneToken(cfg.PlaneToken); err != nil {
		return nil, err
	}
	cfg.Queue = cmp.Or(cfg.Queue, 10_000)
	cfg.Batch = cmp.Or(cfg.Batch, 10)
	cfg.Flush = cmp.Or(cfg.Flush, time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &AccessLogs{cfg: cfg, queue: make(chan AccessLog, cfg.Queue)}, nil
}

// Handler serves POST /logs: one JSON object, or an array of them, which is
// taken as a whole or not at all.
func (a *AccessLogs) Handler() http.Handler {
	return guarded(a.cfg.PlaneToken, func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		err := readBody(w, r, &body)
		var lines []json.RawMessage
		if err == nil {
			lines, err = splitLines(body)
		}
		if err == nil {
			err = a.add(lines)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusAccepted, map[string]int{"accepted": len(lines)})
	})
}

// splitLines reads one object or several.
func splitLines(body json.RawMessage) (lines []json.RawMessage, err error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		if err := json.Unmarshal(body, &lines); err != nil {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the body is not JSON")
		}
	} else {
		lines = []json.RawMessage{body}
	}
	for _, l := range lines {
		if !bytes.HasPrefix(bytes.TrimSpace(l), []byte("{")) {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "a log line is a JSON object")
		}
		if len(l) > maxLogBytes {
			return nil, sluice.Errorf(sluice.CodeTooLarge, "a log line has at most %d bytes", maxLogBytes)
		}
	}
	return lines, nil
}

// add queues all lines or none.
func (a *AccessLogs) add(lines []json.RawMessage) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return sluice.Errorf(sluice.CodeUnavailable, "the process is shutting down").After(1)
	}
	if len(lines) > a.cfg.Queue {
		return sluice.Errorf(sluice.CodeTooLarge, "more lines than the queue of %d ever holds", a.cfg.Queue)
	}
	if len(lines) > cap(a.queue)-len(a.queue) { // only add fills the queue, so it can only get emptier
		return sluice.Errorf(sluice.CodeUnavailable, "the log queue is full").After(1)
	}
	now := a.cfg.Now()
	for _, l := range lines {
		a.queue <- AccessLog{now, l}
	}
	return nil
}

// Queued is how many lines wait.
func (a *AccessLogs) Queued() int { return len(a.queue) }

// Lost is how many lines were accepted and could not be stored before the
// process ended.
func (a *AccessLogs) Lost() uint64 { return a.lost.Load() }

// Run stores batches until ctx is done; then it refuses new lines and stores
// what is queued, for at most 10 s.
func (a *AccessLogs) Run(ctx context.Context) {
	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		a.mu.Lock()
		a.closed = true
		close(a.queue)
		a.mu.Unlock()
		time.AfterFunc(logDrainLimit, cancel)
	})
	defer stop()
	batch := make([]AccessLog, 0, a.cfg.Batch)
	for more := true; more; {
		batch, more = a.gather(batch[:0])
		if len(batch) > 0 {
			a.store(drain, batch)
		}
	}
}

// gather fills a batch, or takes what came within Flush of its first line; more
// is false once the queue is closed and empty.
func (a *AccessLogs) gather(batch []AccessLog) (_ []AccessLog, more bool) {
	first, ok := <-a.queue
	if !ok {
		return batch, false
	}
	batch = append(batch, first)
	timer := time.NewTimer(a.cfg.Flush)
	defer timer.Stop()
	for len(batch) < a.cfg.Batch {
		select {
		case l, ok := <-a.queue:
			if !ok {
				return batch, false
			}
			batch = append(batch, l)
		case <-timer.C:
			return batch, true
		}
	}
	return batch, true
}

// store repeats until the sink takes the batch or the time to drain is over.
// Meanwhile the queue fills and senders are told to come back.
func (a *AccessLogs) store(ctx context.Context, batch []AccessLog) {
	for pause := logPause; ; pause = min(2*pause, logPauseMax) {
		err := a.cfg.Sink.InsertAccessLogs(ctx, batch)
		if err == nil {
			return
		}
		if ctx.Err() != nil || !rest(ctx, pause) {
			a.lost.Add(uint64(len(batch)))
			a.cfg.Log.Error("access logs lost at shutdown", "lines", len(batch), "error", err)
			return
		}
		a.cfg.Log.Warn("access logs wait for the store", "lines", len(batch), "queued", len(a.queue), "error", err)
	}
}
