package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

// TestKillsDuringChurn kills control, a gateway or Redis at random moments while
// the configuration changes all the time. Losing this means that a crash at the
// wrong moment leaves a gateway, or Redis, with something that the database does
// not say - a key that was deleted, for instance - and nobody notices.
func TestKillsDuringChurn(t *testing.T) {
	t.Parallel()
	in := installCabled(t)
	survivor := in.newKey(t, "survivor")
	within(t, convergence, "the key works", func() bool { return serves(t, survivor.Token, in.gateways...) })
	load := startProbes(t, survivor.Token, in.gateways[1]) // the one that is never killed
	book := &churned{keys: map[string]string{}}
	victims := map[string]int{}
	rounds := kills(t)
	for round := range rounds {
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for i := range 2 {
			admin := in.signIn(t)
			writers.Go(func() { book.churn(ctx, admin, fmt.Sprintf("c-%d-%d", round, i)) })
		}
		enough := book.changes() + 2 + rand.IntN(10)
		within(t, 30*time.Second, "configuration churn", func() bool { return book.changes() >= enough })
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond) // the random moment
		victims[in.killOne(t, round)]++
		stop()
		writers.Wait()
		in.settled(t, book)
	}
	calls, failed := load.end()
	t.Logf("%d kills (%v), %d changes acknowledged, %d requests beside them, %d failed", rounds, victims, book.acked, calls, failed)
	if failed > 0 || rounds >= 20 && len(victims) < 3 {
		t.Errorf("%d requests failed; killed %v", failed, victims)
	}
}

// killOne kills one process while changes go on, and starts it again; all three
// have their turns, in one order or another.
func (in *installation) killOne(t *testing.T, round int) string {
	t.Helper()
	switch (round + rand.IntN(2)) % 3 {
	case 0:
		in.control.Kill()
		in.startControl(t)
		return "control"
	case 1:
		in.gateways[0].Kill()
		in.startGateway(t, 0)
		return "gateway"
	}
	in.redis.Stop(t, syscall.SIGKILL)
	in.redis.Start(t)
	return "Redis"
}

// settled makes a last change and expects that everything agrees and that both
// gateways act on it.
func (in *installation) settled(t *testing.T, book *churned) {
	t.Helper()
	within(t, convergence, "control writes", func() bool { _, ok := in.tryKey(t); return ok })
	in.agree(t, 2*convergence, "gw-1", "gw-2")
	working, stopped := book.take()
	for _, token := range working {
		if !serves(t, token, in.gateways...) {
			t.Fatal("an acknowledged key does not work")
		}
	}
	for _, token := range stopped {
		if !refused(t, token, in.gateways...) {
			t.Fatal("a deleted key works")
		}
	}
}

// churned is what was acknowledged since the last look.
type churned struct {
	mu      sync.Mutex
	keys    map[string]string // tokens of keys that must work, by name
	deleted []string          // tokens that must not
	acked   int
}

// take returns a few tokens that must work and that must not, and forgets all.
func (c *churned) take() (working, stopped []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const few = 5
	for _, token := range c.keys {
		if working = append(working, token); len(working) == few {
			break
		}
	}
	stopped = c.deleted[max(0, len(c.deleted)-few):]
	clear(c.keys)
	c.deleted = nil
	return working, stopped
}

func (c *churned) changes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acked
}

func (c *churned) note(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked++
	change()
}

func (c *churned) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, name)
}

// churn makes keys and models, and deletes every other key, until
// ctx ends. What is not answered is tried no more: whether it was done is for
// the database to say.
func (c *churned) churn(ctx context.Context, admin *client.Client, prefix string) {
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("%s-%d", prefix, n)
		key, err := admin.Keys().Create(ctx, sluice.Key{Meta: sluice.Meta{Name: name}}, sluice.WriteOptions{})
		if err != nil {
			continue
		}
		c.note(func() { c.keys[name] = key.Token })
		model := sluice.Model{Meta: sluice.Meta{Name: "model-" + name}, ContextWindow: int64(n + 1)}
		if _, _, err := admin.Models().Put(ctx, sluice.PlatformTenant, model.Name, model, sluice.WriteOptions{}); err == nil {
			c.note(func() {})
		}
		if n%2 == 1 {
			continue
		}
		c.forget(name) // from here on it may be either
		if admin.Keys().Delete(ctx, "", name, sluice.WriteOptions{}) == nil {
			c.note(func() { c.deleted = append(c.deleted, key.Token) })
		}
	}
}
