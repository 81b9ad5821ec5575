package money_test

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/test/process"
)

// split is control and a gateway in processes of their own, over Redis and
// PostgreSQL. Control is found by a cable, because its port changes with each
// start.
type split struct {
	*scene
	postgres         *sluicetest.PostgresServer
	control, gateway *process.Process
	toControl        *sluicetest.Cable
	controlOpts      process.Options
	gatewayOpts      process.Options
}

// playSplit starts an installation whose tenant pays by terms.
func playSplit(t *testing.T, terms terms) *split {
	t.Helper()
	redis := sluicetest.Redis(t)
	s := &split{scene: &scene{T: t, till: newTill(t), callers: newCallers()}, postgres: sluicetest.PrivatePostgres(t), toControl: sluicetest.NewCable(t, "")}
	env := append(secrets[:len(secrets):len(secrets)], "SLUICE_PLANE_TOKEN=k3J9xQ2mW7vB5nR8tY4cL6pZ", "EZ_REDIS_ADDR="+redis.Addr)
	s.store = store.Config{DSN: s.postgres.DSN("postgres")}
	s.controlOpts = process.Options{Command: "control", Production: true, Dir: t.TempDir(), Env: append(env[:len(env):len(env)], "EZ_PG_DSN="+s.store.DSN)}
	s.gatewayOpts = process.Options{Command: "gateway", Production: true, Dir: t.TempDir(), Env: append(env[:len(env):len(env)], "SLUICE_CONTROL_URL=http://"+s.toControl.Addr())}
	s.opts = s.controlOpts
	s.archive = newArchive(t, filepath.Join(s.gatewayOpts.Dir, "data"))
	s.startControl()
	s.control.SetUp(t)
	admin, err := client.New(client.Config{BaseURL: "http://" + s.toControl.Addr(), Email: process.AdminEmail, Password: process.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	s.admin = admin
	s.token = seed(t, s.admin, s.till.URL, terms, nil)
	s.startGateway()
	return s
}

func (s *split) startControl() {
	s.Helper()
	s.control = process.Start(s.T, s.controlOpts)
	s.toControl.To(strings.TrimPrefix(s.control.Control, "http://"))
}

func (s *split) startGateway() {
	s.Helper()
	s.archive.link(s.T)
	s.gateway = process.Start(s.T, s.gatewayOpts)
	s.serve = s.gateway
	s.archive.link(s.T)
}

// close stops both and holds the books against each other.
func (s *split) close() (*books, figures) {
	s.Helper()
	s.unheld()
	s.gateway.Stop(s.T)
	s.control.Stop(s.T)
	b := readBooks(s.T, s.store, s.archive)
	return b, s.judge(b)
}

// A kill of the gateway, of control or of the database would have calls charged
// twice or never, where each has only a part of the books.
func TestSplitKilled(t *testing.T) {
	kills := rounds(t, 4)
	s := playSplit(t, unlimited)
	s.awaitServing()
	names := []string{"gateway", "control", "PostgreSQL"}
	count := map[string]int{}
	for i := range kills {
		stop := s.callers.load(t.Context(), 6, s.mixed)
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		victim := names[i%len(names)]
		count[victim]++
		before := len(s.callers.all())
		switch victim {
		case "gateway":
			s.gateway.Kill()
			stop()
			s.startGateway()
			continue
		case "control":
			s.control.Kill()
			time.Sleep(200 * time.Millisecond)
			s.startControl()
		case "PostgreSQL":
			s.postgres.Crash(t)
			time.Sleep(200 * time.Millisecond)
			s.postgres.Start(t)
		}
		time.Sleep(100 * time.Millisecond)
		stop()
		if list := failed(s.callers.all()[before:]); len(list) > 0 {
			t.Errorf("%d calls failed without %s: %+v", len(list), victim, list[0])
		}
	}
	_, f := s.close()
	t.Logf("kills: %v", count)
	if f.short > mostUnpaid {
		t.Errorf("%d tokens of a killed stream are not paid for", f.short)
	}
	if f.answered < kills {
		t.Errorf("hardly any load: %+v", f)
	}
}

// A gateway that does not keep the balance would serve for nothing: who calls
// often enough at once, and everybody while nobody can be asked.
func TestSplitEnforcesLimits(t *testing.T) {
	rounds(t, 1)
	const calls, enough = 200, 40
	s := playSplit(t, strict)
	within(t, 30*time.Second, "the key is known", func() bool { return s.lists() })
	topUp(t, s.admin, "payment", allFor(calls, enough))
	s.crowd(calls, enough)
	s.unheld()
	s.control.Kill()
	for range 20 {
		r := s.callers.call(t.Context(), s.order(plan{Chunks: 1}))
		if r.status != 503 || !strings.Contains(r.body, `"error"`) || !strings.Contains(r.body, `"type"`) {
			t.Fatalf("a tenant whose balance nobody knows gets %d %s", r.status, r.body)
		}
	}
	all := s.callers.all()
	t.Logf("without control refused with %s", strings.Join(strings.Fields(all[len(all)-1].body), " "))
	s.startControl()
	admin, err := client.New(client.Config{BaseURL: "http://" + s.toControl.Addr(), Email: process.AdminEmail, Password: process.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	s.admin = admin
	s.awaitServing()
	b, f := s.close()
	b.leftOf(t, allFor(calls, enough), f)
}
