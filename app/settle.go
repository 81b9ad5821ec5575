package app

import (
	"context"
	"runtime/debug"
	"time"
)

// settleAfter is when a start is over: the first configuration is there, and what
// was needed for it is not needed any more.
const settleAfter = 3 * time.Second

// settle gives memory back once that only the start needed. It returns early
// when ctx ends.
func (h *host) settle(ctx context.Context) {
	timer := time.NewTimer(settleAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	debug.FreeOSMemory()
	if err := forgetProgram(); err != nil {
		h.log.Debug("the program's pages stay in memory", "err", err)
	}
}
