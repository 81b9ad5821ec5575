package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// convergence is how long after the end of an outage everything must be as if
// there had been none.
const convergence = 5 * time.Second

// outageTime is how long both stores are away in TestSplit: 15 s in `make
// test`, as long as SLUICE_TEST_OUTAGE says in `make faults`.
func outageTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SLUICE_TEST_OUTAGE")
	if text == "" {
		return 15 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// loseBothStores kills Redis and then the database as well: keys that gateways
// know go on, and what changes afterwards arrives without a restart.
func (in *installation) loseBothStores(t *testing.T, gateways []*process.Process, key sluice.Key) {
	t.Helper()
	load := startProbes(t, key.Token, gateways...)
	in.redis.Stop(t, syscall.SIGKILL)
	within(t, 15*time.Second, "the gateway says degraded", func() bool { return degraded(t, gateways[0]) })
	in.postgres.Crash(t)
	time.Sleep(outageTime(t)) // what is tested is that nothing happens meanwhile
	in.postgres.Start(t)
	in.redis.Start(t)
	took := in.converge(t, time.Now(), gateways, nil)
	calls, failed := load.end()
	t.Logf("Redis and PostgreSQL away for %s: %d requests, %d failed; converged after %s", outageTime(t), calls, failed, took)
	if failed > 0 || calls < 100 {
		t.Errorf("%d of %d requests failed without the stores", failed, calls)
	}
}

// degraded reports whether a gateway serves and says that it does not know what
// is published, and since when.
func degraded(t *testing.T, g *process.Process) bool {
	t.Helper()
	a := do(t, "GET", g.Status+"/ready", "", "")
	return a.status == 200 && strings.Contains(a.body, "degraded") && strings.Contains(a.body, "ago")
}

// outage is one way in which an installation loses something.
type outage struct {
	name string
	// strike makes it happen, and end ends it; what returns by itself has no
	// end.
	strike, end func(t *testing.T)
	// shows reports whether those concerned say that something is wrong; nil
	// where nobody can know.
	shows func(t *testing.T) bool
}

// TestOutages takes away, one after another, everything that gateways and
// control use. Losing this means that customers' requests fail whenever one of
// them is away, or that somebody has to restart processes afterwards.
func TestOutages(t *testing.T) {
	t.Parallel()
	in := installCabled(t)
	key := in.newKey(t, "known")
	within(t, convergence, "the key works", func() bool { return serves(t, key.Token, in.gateways...) })
	for _, o := range in.outages(t) {
		if !t.Run(o.name, func(t *testing.T) { in.survive(t, o, key.Token) }) {
			break // what follows would say little
		}
	}
}

// outages lists what can be lost. What starts again lives as long as t.
func (in *installation) outages(t *testing.T) []outage {
	list := []outage{
		{"Redis stops", in.saveAndStop(syscall.SIGTERM), in.redisStarts, in.gatewaysShow},
		{"Redis returns with an older state", in.stopWithOlderState, in.redisStarts, in.gatewaysShow},
		{"Redis returns empty", in.stopAndForget, in.redisStarts, in.gatewaysShow},
		{"Redis hangs", in.signalRedis(syscall.SIGSTOP), in.signalRedis(syscall.SIGCONT), in.gatewaysShow},
		{"Redis is flushed", in.flush, nil, nil},
		{"PostgreSQL crashes", func(t *testing.T) { in.postgres.Crash(t) }, func(t *testing.T) { in.postgres.Start(t) }, in.controlShows},
		{"control is killed", func(*testing.T) { in.control.Kill() }, func(*testing.T) { in.startControl(t) }, nil},
	}
	c := in.cables
	for _, pair := range []struct {
		name   string
		shows  func(*testing.T) bool
		cables []*sluicetest.Cable
	}{
		{"gateways and Redis", in.gatewaysShow, c.gatewayRedis[:]},
		{"control and Redis", nil, []*sluicetest.Cable{c.controlRedis}},
		{"control and PostgreSQL", in.controlShows, []*sluicetest.Cable{c.controlPostgres}},
		{"gateways and control", in.acknowledged(), c.gatewayControl[:]},
	} {
		list = append(list,
			outage{"between " + pair.name + " nobody listens", each(pair.cables, (*sluicetest.Cable).Refuse), mend(pair.cables), nil},
			outage{"between " + pair.name + " connections break", each(pair.cables, (*sluicetest.Cable).Break), mend(pair.cables), nil},
			outage{"between " + pair.name + " packets are lost", each(pair.cables, (*sluicetest.Cable).Hang), mend(pair.cables), pair.shows},
		)
	}
	one := c.gatewayRedis[:1]
	return append(list, outage{"between one gateway and Redis packets are lost", each(one, (*sluicetest.Cable).Hang), mend(one), in.gatewayShows(0)})
}

// survive strikes under load, tries to change something meanwhile, and expects
// that no request fails and that everything converges afterwards.
func (in *installation) survive(t *testing.T, o outage, key string) {
	name := strings.ReplaceAll(strings.ToLower(o.name), " ", "-")
	doomed := in.newKey(t, "doomed-by-"+name)
	within(t, convergence, "a key works before", func() bool { return serves(t, doomed.Token, in.gateways...) })
	load := startProbes(t, key, in.gateways...)
	began := time.Now()
	o.strike(t)
	meanwhile := in.changeMeanwhile(t, name, doomed)
	if o.shows != nil {
		within(t, 15*time.Second, "it shows that something is wrong", func() bool { return o.shows(t) })
	}
	if o.end != nil {
		time.Sleep(time.Until(began.Add(outageTime(t) / 10))) // what is tested is that nothing happens meanwhile
		o.end(t)
		began = time.Now()
	}
	took := in.converge(t, began, in.gateways, meanwhile)
	within(t, 15*time.Second, "there was load", func() bool { return load.calls.Load() >= 50 })
	calls, failed := load.end()
	t.Logf("%d requests, %d failed; converged after %s", calls, failed, took.Round(time.Millisecond))
	if failed > 0 {
		t.Errorf("%d of %d requests failed", failed, calls)
	}
}

// changes are what control acknowledged while something was away: it must hold
// afterwards.
type changes struct{ made, deleted []string }

// changeMeanwhile makes a key and deletes one, as far as control can. It must
// not make anybody wait who is told nothing.
func (in *installation) changeMeanwhile(t *testing.T, name string, doomed sluice.Key) *changes {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c := new(changes)
	if k, err := in.createKey(ctx, "made-while-"+name); err == nil {
		c.made = append(c.made, k.Token)
	}
	if err := in.admin.Keys().Delete(ctx, "", doomed.Name, sluice.WriteOptions{}); err == nil {
		c.deleted = append(c.deleted, doomed.Token)
	}
	return c
}

// converge waits until control writes again, what it wrote serves and stops
// serving in all gateways, all that was acknowledged meanwhile holds, and all
// have one revision; it returns how long after began that was.
func (in *installation) converge(t *testing.T, began time.Time, gateways []*process.Process, meanwhile *changes) time.Duration {
	t.Helper()
	left := func() time.Duration { return time.Until(began.Add(convergence)) }
	var fresh sluice.Key
	within(t, left(), "control writes again", func() (ok bool) {
		fresh, ok = in.tryKey(t)
		return ok
	})
	within(t, left(), "a new key works", func() bool { return serves(t, fresh.Token, gateways...) })
	within(t, left(), "control deletes a key", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := in.admin.Keys().Delete(ctx, "", fresh.Name, sluice.WriteOptions{})
		return err == nil || sluice.CodeOf(err) == sluice.CodeNotFound // deleted, and the answer was lost
	})
	within(t, left(), "a deleted key stops", func() bool { return refused(t, fresh.Token, gateways...) })
	if meanwhile != nil {
		for _, token := range meanwhile.made {
			within(t, left(), "what was made meanwhile works", func() bool { return serves(t, token, gateways...) })
		}
		for _, token := range meanwhile.deleted {
			within(t, left(), "what was deleted meanwhile stops", func() bool { return refused(t, token, gateways...) })
		}
	}
	want := float64(in.revision(t))
	for _, g := range gateways {
		within(t, left(), "a gateway serves control's revision", func() bool { return metric(t, g, "sluice_snapshot_revision") == want })
		within(t, left(), "no gateway is degraded", func() bool { return !degraded(t, g) })
	}
	return time.Since(began)
}

// tryKey makes a key of a new name, if control can.
func (in *installation) tryKey(t *testing.T) (sluice.Key, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	k, err := in.createKey(ctx, "fresh-"+time.Now().Format("150405.000000000"))
	return k, err == nil
}

// gatewaysShow reports whether every gateway says that it is degraded.
func (in *installation) gatewaysShow(t *testing.T) bool {
	return in.gatewayShows(0)(t) && in.gatewayShows(1)(t)
}

func (in *installation) gatewayShows(i int) func(*testing.T) bool {
	return func(t *testing.T) bool { return degraded(t, in.gateways[i]) }
}

// controlShows reports whether control says that it cannot work.
func (in *installation) controlShows(t *testing.T) bool {
	return do(t, "GET", in.control.Status+"/ready", "", "").status == 503
}

// acknowledged returns a check that both gateways still tell Redis how they
// are: who cannot reach control must not look dead to the others.
func (in *installation) acknowledged() func(*testing.T) bool {
	var struck time.Time
	return func(t *testing.T) bool {
		if struck.IsZero() {
			struck = time.Now()
		}
		for _, name := range []string{"gw-1", "gw-2"} {
			if in.ackTime(t, name).Before(struck) {
				return false
			}
		}
		struck = time.Time{}
		return true
	}
}

// dump is the file that Redis saves to.
func (in *installation) dump(t *testing.T) string {
	t.Helper()
	_, dir, _ := strings.Cut(in.redisCLI(t, "CONFIG", "GET", "dir"), "\n")
	return filepath.Join(dir, "dump.rdb")
}

// saveAndStop ends Redis in a way that it comes back with what it has.
func (in *installation) saveAndStop(signal syscall.Signal) func(*testing.T) {
	return func(t *testing.T) {
		in.redisCLI(t, "SAVE")
		in.redis.Stop(t, signal)
	}
}

// stopWithOlderState ends Redis after changes that it did not save.
func (in *installation) stopWithOlderState(t *testing.T) {
	in.redisCLI(t, "SAVE")
	before := in.redisCLI(t, "GET", "config:rev")
	in.newKey(t, "unsaved")
	within(t, convergence, "the change is published", func() bool { return in.redisCLI(t, "GET", "config:rev") != before })
	in.redis.Stop(t, syscall.SIGKILL)
}

// stopAndForget ends Redis and removes what it has saved.
func (in *installation) stopAndForget(t *testing.T) {
	dump := in.dump(t)
	in.redis.Stop(t, syscall.SIGKILL)
	if err := os.Remove(dump); err != nil {
		t.Fatal(err)
	}
}

func (in *installation) redisStarts(t *testing.T) { in.redis.Start(t) }

func (in *installation) signalRedis(signal syscall.Signal) func(*testing.T) {
	return func(t *testing.T) { in.redis.Signal(t, signal) }
}

// flush empties Redis and waits until somebody has filled it again, without any
// change that would ask for it.
func (in *installation) flush(t *testing.T) {
	before := in.redisCLI(t, "GET", "config:rev")
	in.redisCLI(t, "FLUSHALL")
	took := within(t, convergence, "Redis is rebuilt to the same revision", func() bool { return in.redisCLI(t, "GET", "config:rev") == before })
	t.Logf("rebuilt after %s", took)
}

// each does the same to several cables.
func each(list []*sluicetest.Cable, do func(*sluicetest.Cable)) func(*testing.T) {
	return func(*testing.T) {
		for _, c := range list {
			do(c)
		}
	}
}

func mend(list []*sluicetest.Cable) func(*testing.T) {
	return func(t *testing.T) {
		for _, c := range list {
			c.Mend(t)
		}
	}
}
