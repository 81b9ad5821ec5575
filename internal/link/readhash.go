package link

import (
	"cmp"
	"context"
	"runtime"
	"sync"
)

// Limits of reading a hash: pages that were read or decoded and wait.
const (
	maxPages    = 4
	maxDecoders = 4
)

// readHash reads one hash step by step, so that Redis serves others meanwhile.
// One goroutine asks for the next page while others decode the last ones, and the
// caller's takes them over; all have ended when it returns.
func (r *RedisSnapshots) readHash(caller context.Context, m *mirror, hash int) error {
	ctx, stop := context.WithCancel(caller)
	defer stop()
	var working sync.WaitGroup
	pages, decoded := make(chan []string, maxPages), make(chan []reading, maxPages)
	var failure error // read when all have ended
	working.Go(func() {
		defer close(pages)
		failure = r.scanHash(ctx, hash, pages)
	})
	var decoding sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), maxDecoders) {
		decoding.Go(func() { m.readPages(ctx, hash, pages, decoded) })
	}
	working.Go(func() {
		defer close(decoded)
		decoding.Wait()
	})
	for list := range decoded {
		for _, f := range list {
			if old, known := m.fields[hash][f.field]; !known || old.sum != f.sum { // a scan may bring a field twice
				m.set(hash, f)
			}
		}
	}
	ended := caller.Err() // then pages may be missing that nobody decoded
	stop()
	working.Wait()
	return cmp.Or(failure, ended)
}

// scanHash sends the pages of a hash, fields and values in turn.
func (r *RedisSnapshots) scanHash(ctx context.Context, hash int, pages chan<- []string) error {
	for cursor := uint64(0); ; {
		page, next, err := r.cfg.Redis.client.HScan(ctx, r.cfg.Redis.key(hashes[hash]), cursor, "", scanCount).Result()
		if err != nil {
			return redisError("read "+hashes[hash], err)
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return ctx.Err()
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// readPages decodes pages until there are no more. It only reads the mirror's
// shelves, which decode without changing anything.
func (m *mirror) readPages(ctx context.Context, hash int, pages <-chan []string, into chan<- []reading) {
	for page := range pages {
		list := make([]reading, 0, len(page)/2)
		for i := 0; i+1 < len(page); i += 2 {
			list = append(list, m.read(hash, entry{page[i], page[i+1]}))
		}
		select {
		case into <- list:
		case <-ctx.Done():
			return
		}
	}
}
