package link

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	// keeperFor is how long it is believed where the ledger is.
	keeperFor = time.Second
	// keeperlessFor is how long nobody asks again after an answer that led nowhere.
	keeperlessFor = 250 * time.Millisecond
)

// whereabouts are where the ledger is, asked once for all who want to know meanwhile.
type whereabouts struct {
	done chan struct{} // closed when the rest is known
	url  string
	err  error
}

// locate returns where the ledger is kept, if that is elsewhere: what is
// remembered, or what one caller at a time finds out. Every error is
// [sluice.CodeUnavailable].
func (k *Keeper) locate(ctx context.Context) (string, error) {
	if k.cfg.Here() {
		return "", sluice.Errorf(sluice.CodeUnavailable, "this process keeps the ledger and cannot decide now: it renews its lease, or catches up with its journal").After(1)
	}
	l, mine := k.join()
	if mine {
		k.look(ctx, l)
	}
	select {
	case <-l.done:
		return l.url, l.err
	case <-ctx.Done():
		return "", nowhere(ctx.Err())
	}
}

// join returns the look-up to go by. It is the caller's to carry out when mine.
func (k *Keeper) join() (l *whereabouts, mine bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last != nil {
		believed := keeperFor
		if k.doubted || k.last.err != nil {
			believed = keeperlessFor
		}
		if k.cfg.Now().Sub(k.found).Abs() < believed {
			return k.last, false
		}
	}
	if mine = k.looking == nil; mine {
		k.looking = &whereabouts{done: make(chan struct{})}
	}
	return k.looking, mine
}

// look carries a look-up out. Others wait for it, so that it goes on when who began
// it has gone, for as long as a question for a hold may take.
func (k *Keeper) look(ctx context.Context, l *whereabouts) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdTimeout)
	defer cancel()
	l.err = nowhere(nil) // should Find panic
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.last, k.found, k.doubted, k.looking = l, k.cfg.Now(), false, nil
		close(l.done)
	}()
	l.url, l.err = k.find(ctx)
}

// find asks where the ledger is.
func (k *Keeper) find(ctx context.Context) (string, error) {
	url, err := k.cfg.Find(ctx)
	switch {
	case err != nil && sluice.CodeOf(err) != sluice.CodeUnavailable:
		return "", nowhere(err)
	case err != nil:
		return "", err
	case url == k.cfg.Self:
		return "", sluice.Errorf(sluice.CodeUnavailable, "the process that keeps the ledger says that it is reached where this one is: give each a SLUICE_ADVERTISE_URL of its own").After(1)
	}
	return url, nil
}

// forget has the keeper looked for anew, soon: where it was, it is not.
func (k *Keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.doubted = true
}

// nowhere says that it could not be found out where the ledger is.
func nowhere(cause error) error {
	return sluice.Errorf(sluice.CodeUnavailable, "it cannot be found out which process keeps the ledger").After(1).Because(cause)
}
