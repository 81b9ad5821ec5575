package e2e_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// TestTwoControls changes the configuration through two control processes at
// once. Losing this means that a second one cannot stand by: what is written
// through it is not published, or overwrites what the first published.
func TestTwoControls(t *testing.T) {
	t.Parallel()
	in := installOn(t, sluicetest.Postgres(t).Schema(t))
	g := process.Start(t, in.gatewayOptions("gw-1", ""))
	other := process.Start(t, process.Options{Command: "control", Production: true, Env: in.env})
	admins := []*client.Client{in.admin, other.SignIn(t)}

	for i, admin := range admins {
		name := fmt.Sprintf("by-%d", i)
		key, err := admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: name}}, sluice.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a key made in control %d works after %s", i, within(t, convergence, "it works", func() bool { return serves(t, key.Token, g) }))
		if _, err := admins[1-i].Keys().Get(t.Context(), "", name); err != nil {
			t.Errorf("control %d does not see what the other made: %v", 1-i, err)
		}
		if err := admins[1-i].Keys().Delete(t.Context(), "", name, sluice.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		within(t, convergence, "what the other control deleted stops", func() bool { return refused(t, key.Token, g) })
	}

	churnThrough(t, admins, "together")
	in.agree(t, convergence, "gw-1")
	in.redisCLI(t, "FLUSHALL") // both mend it
	churnThrough(t, admins, "mending")
	in.agree(t, convergence, "gw-1")
	in.control.Kill()
	churnThrough(t, admins[1:], "alone")
	in.agree(t, convergence, "gw-1")
}

// churnThrough makes and deletes objects through all clients at once.
func churnThrough(t *testing.T, admins []*client.Client, prefix string) {
	t.Helper()
	var writers sync.WaitGroup
	for i, admin := range admins {
		writers.Go(func() {
			for n := range 15 {
				name := fmt.Sprintf("%s-%d-%d", prefix, i, n)
				if _, err := admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: name}}, sluice.WriteOptions{}); err != nil {
					t.Errorf("create through control %d: %v", i, err)
				}
				if n%2 == 0 {
					continue
				}
				if err := admin.Keys().Delete(t.Context(), "", name, sluice.WriteOptions{}); err != nil {
					t.Errorf("delete through control %d: %v", i, err)
				}
			}
		})
	}
	writers.Wait()
}
