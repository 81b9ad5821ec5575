package gateway

import (
	"sync"

	"github.com/sluicegate/sluice"
)

// flight is the switch that ends a request from outside its goroutine: the
// client hung up, or the drain deadline passed. It is never used again for
// another request, so a late event meets only its own.
type flight struct {
	mu     sync.Mutex
	reason sluice.Code
	call   *sluice.Stopper
}

// clientGone is the callback for [sluice.Inbound.OnGone].
func (f *flight) clientGone() { f.end(sluice.CodeClientGone) }

// end stops the call in progress and every later one. The first reason counts.
func (f *flight) end(reason sluice.Code) {
	f.mu.Lock()
	if f.reason == "" {
		f.reason = reason
	}
	call := f.call
	f.mu.Unlock()
	if call != nil {
		call.Stop()
	}
}

// bind makes a call the one to stop; nil when it is over.
func (f *flight) bind(call *sluice.Stopper) {
	f.mu.Lock()
	f.call = call
	late := f.reason != ""
	f.mu.Unlock()
	if late && call != nil {
		call.Stop()
	}
}

// ended returns why the request was ended, or "".
func (f *flight) ended() sluice.Code {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

// err is the error that an ended flight leads to, or nil.
func (f *flight) err() error {
	switch f.ended() {
	case "":
		return nil
	case sluice.CodeClientGone:
		return sluice.Errorf(sluice.CodeClientGone, "the client went away")
	}
	return sluice.Errorf(sluice.CodeUnavailable, "the gateway is shutting down")
}

// flights are the requests in progress.
type flights struct {
	mu    sync.Mutex
	all   map[*flight]struct{}
	empty chan struct{} // closed while nobody flies, nil until somebody waits
}

func newFlights() *flights { return &flights{all: make(map[*flight]struct{})} }

func (fs *flights) take() *flight {
	f := &flight{}
	fs.mu.Lock()
	fs.all[f] = struct{}{}
	fs.mu.Unlock()
	return f
}

func (fs *flights) done(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.all, f)
	if len(fs.all) == 0 && fs.empty != nil {
		close(fs.empty)
		fs.empty = nil
	}
}

// active is the number of requests in progress.
func (fs *flights) active() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.all)
}

// landed returns a channel that is closed once no request is in progress.
func (fs *flights) landed() <-chan struct{} {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.all) == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if fs.empty == nil {
		fs.empty = make(chan struct{})
	}
	return fs.empty
}

// endAll ends every request in progress.
func (fs *flights) endAll(reason sluice.Code) {
	fs.mu.Lock()
	list := make([]*flight, 0, len(fs.all))
	for f := range fs.all {
		list = append(list, f)
	}
	fs.mu.Unlock()
	for _, f := range list {
		f.end(reason)
	}
}
