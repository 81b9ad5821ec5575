package link_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	book "github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/link"
)

// plane is one process of an installation: what it answers, and whether it keeps
// the ledger.
type plane struct {
	*httptest.Server
	keeper *link.Keeper
	owns   atomic.Bool
	// seen is what arrived last.
	seen struct{ client, id, body, authorization, hop string }
	hits int
	// ahead is how far its clock is.
	ahead atomic.Int64
}

// planes starts processes that find the keeper at where says.
func planes(t *testing.T, n int, where func() (string, error)) []*plane {
	t.Helper()
	list := make([]*plane, n)
	for i := range list {
		p := &plane{}
		p.Server = httptest.NewUnstartedServer(nil)
		self := "http://" + p.Listener.Addr().String()
		var err error
		p.keeper, err = link.NewKeeper(link.KeeperConfig{
			Here: p.owns.Load, Self: self, PlaneToken: planeToken,
			Now:  func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) },
			Find: func(context.Context) (string, error) { return where() },
		})
		must(t, err)
		p.Config.Handler = p.keeper.Receive(http.HandlerFunc(p.serve))
		p.Start()
		t.Cleanup(p.Close)
		list[i] = p
	}
	return list
}

// serve is a process's API: it says who answers.
func (p *plane) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", "id-of-"+r.Header.Get("X-Request-Id"))
	done, err := p.keeper.Forward(w, r, "203.0.113.9")
	if err != nil {
		w.WriteHeader(sluice.CodeInfo(sluice.CodeOf(err)).Status)
		_, _ = io.WriteString(w, err.Error())
	}
	if done || err != nil {
		return
	}
	b, _ := io.ReadAll(r.Body)
	p.hits++
	p.seen.client, p.seen.id, p.seen.body = r.RemoteAddr, r.Header.Get("X-Request-Id"), string(b)
	p.seen.authorization, p.seen.hop = r.Header.Get("Authorization"), r.Header.Get("X-Hop")
	if !p.owns.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Sluice-Test", "kept")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "booked "+r.URL.RequestURI())
}

// send posts to a process.
func (p *plane) send(t *testing.T, header map[string]string) (status int, body string, head http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/v1/billing/top-up?dry_run=true", strings.NewReader(`{"id":"x"}`))
	must(t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(b), res.Header
}

// Losing this means that billing works on one of several processes only, or that
// the one which books knows neither who asked nor what for.
func TestKeeperPassesOn(t *testing.T) {
	var at string
	ps := planes(t, 2, func() (string, error) { return at, nil })
	keeper, other := ps[0], ps[1]
	keeper.owns.Store(true)
	at = keeper.URL
	status, body, head := other.send(t, map[string]string{"Authorization": "Bearer mine", "X-Forwarded-For": "198.51.100.1", "Connection": "X-Hop", "X-Hop": "1", "X-Request-Id": "r1"})
	if status != http.StatusCreated || body != "booked /v1/billing/top-up?dry_run=true" || head.Get("Sluice-Test") != "kept" || len(head.Values("X-Request-Id")) != 1 {
		t.Errorf("%d %q %v", status, body, head)
	}
	if s := keeper.seen; s.client != "203.0.113.9:0" || s.body != `{"id":"x"}` || s.authorization != "Bearer mine" || s.hop != "" || s.id != "id-of-r1" {
		t.Errorf("arrived: %+v", s)
	}
	if status, _, _ = keeper.send(t, nil); status != http.StatusCreated || keeper.hits != 2 || other.hits != 0 {
		t.Errorf("the keeper itself: %d, %d and %d hits", status, keeper.hits, other.hits)
	}
}

// Losing this means that two processes which believe of each other that it keeps
// the ledger pass a request to and fro, or that a stranger says who it is.
func TestKeeperPassesOnOnce(t *testing.T) {
	var at string
	ps := planes(t, 2, func() (string, error) { return at, nil })
	at = ps[0].URL
	status, _, _ := ps[1].send(t, nil)
	if status != http.StatusServiceUnavailable || ps[0].hits != 1 || ps[1].hits != 0 {
		t.Errorf("%d, %d and %d hits", status, ps[0].hits, ps[1].hits)
	}
	if status, body, _ := ps[0].send(t, nil); status != http.StatusServiceUnavailable || !strings.Contains(body, "SLUICE_ADVERTISE_URL") {
		t.Errorf("led to itself: %d %s", status, body)
	}
	before := ps[0].hits
	if status, body, _ := ps[0].send(t, map[string]string{"Sluice-Plane-Token": planeToken[1:], "X-Forwarded-For": "198.51.100.1"}); status != http.StatusUnauthorized || ps[0].hits != before {
		t.Errorf("a stranger: %d %s", status, body)
	}
}

// Losing this means that a client waits for a process that is gone, is told
// nothing, or is sent there again when another one has taken over.
func TestKeeperIsAway(t *testing.T) {
	at, none := "", error(nil)
	ps := planes(t, 3, func() (string, error) { return at, none })
	gone := httptest.NewServer(nil)
	gone.Close()
	at = gone.URL
	if status, body, _ := ps[0].send(t, nil); status != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be reached") {
		t.Errorf("%d %s", status, body)
	}
	ps[0].ahead.Add(int64(250 * time.Millisecond))
	at = ps[1].URL
	ps[1].owns.Store(true)
	if status, _, _ := ps[0].send(t, nil); status != http.StatusCreated {
		t.Errorf("after a take-over: %d", status)
	}
	ps[1].owns.Store(false)
	ps[2].owns.Store(true)
	if status, _, _ := ps[0].send(t, nil); status != http.StatusServiceUnavailable {
		t.Errorf("who lost the ledger answers %d", status)
	}
	ps[0].ahead.Add(int64(250 * time.Millisecond))
	at = ps[2].URL
	if status, _, _ := ps[0].send(t, nil); status != http.StatusCreated {
		t.Errorf("it is asked again where the ledger is after a refusal: %d", status)
	}
	ps[2].owns.Store(false)
	_, _, _ = ps[0].send(t, nil)
	ps[0].ahead.Add(int64(250 * time.Millisecond))
	none = sluice.Errorf(sluice.CodeUnavailable, "nobody keeps it")
	if status, body, _ := ps[0].send(t, nil); status != http.StatusServiceUnavailable || !strings.Contains(body, "nobody keeps it") {
		t.Errorf("%d %s", status, body)
	}
}

// Losing this means that a process whose lease hangs asks the database where the
// ledger is, and tells clients that its address is wrong.
func TestKeeperThatCannotDecide(t *testing.T) {
	k, err := link.NewKeeper(link.KeeperConfig{
		Here: func() bool { return true }, Self: "http://127.0.0.1:9", PlaneToken: planeToken, Now: time.Now,
		Find: func(context.Context) (string, error) { t.Error("asked"); return "http://127.0.0.1:9", nil },
	})
	must(t, err)
	a := link.NewSpending(link.SpendingConfig{Limits: link.NewLocal(link.LocalConfig{Now: time.Now}), Book: func() *book.Book { return nil }, Away: k.Holds(), Now: time.Now})
	_, err = a.Admit(t.Context(), sluice.Claims{RequestID: spendingID(1).String(), Hold: aHold(1, 60, -100)})
	if cause := errors.Unwrap(err); sluice.CodeOf(err) != sluice.CodeUnavailable || cause == nil || !strings.Contains(cause.Error(), "cannot decide now") {
		t.Errorf("got %v because of %v", err, cause)
	}
}

// Losing this means that each of a thousand requests a second asks the database
// where the ledger is when nobody keeps it.
func TestKeeperIsLookedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		k, err := link.NewKeeper(link.KeeperConfig{
			Here: func() bool { return false }, Self: "http://127.0.0.1:9", PlaneToken: planeToken, Now: time.Now,
			Find: func(context.Context) (string, error) {
				asked.Add(1)
				time.Sleep(100 * time.Millisecond)
				return "", sluice.Errorf(sluice.CodeUnavailable, "nobody keeps it")
			},
		})
		must(t, err)
		all := func() {
			var askers sync.WaitGroup
			for range 50 {
				askers.Go(func() {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/billing/top-up", nil)
					if done, err := k.Forward(httptest.NewRecorder(), r, "203.0.113.9"); done || sluice.CodeOf(err) != sluice.CodeUnavailable || !strings.Contains(err.Error(), "nobody keeps it") {
						t.Errorf("%t, %v", done, err)
					}
				})
			}
			askers.Wait()
		}
		all()
		all()
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Second)
		all()
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times when a failure is old", n)
		}
	})
}

// Losing this means that each request asks the database while the process that
// kept the ledger is gone and its lease is not over.
func TestKeeperThatIsGoneIsLookedForAtTimes(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	var asked atomic.Int64
	p := planes(t, 1, nil)[0]
	stopped := time.Now()
	k, err := link.NewKeeper(link.KeeperConfig{
		Here: func() bool { return false }, PlaneToken: planeToken, Now: func() time.Time { return stopped },
		Find: func(context.Context) (string, error) { asked.Add(1); return gone.URL, nil },
	})
	must(t, err)
	p.keeper = k
	for range 5 {
		if status, _, _ := p.send(t, nil); status != http.StatusServiceUnavailable {
			t.Errorf("got %d", status)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Losing this means that a client that goes away leaves others without an answer,
// or that one waits for longer than is said for a database that hangs.
func TestKeeperIsNotLookedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := link.NewKeeper(link.KeeperConfig{
			Here: func() bool { return false }, Self: "http://127.0.0.1:9", PlaneToken: planeToken, Now: time.Now,
			Find: func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() },
		})
		must(t, err)
		first, leave := context.WithCancel(t.Context())
		ask := func(ctx context.Context) time.Duration {
			began := time.Now()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/billing/top-up", nil)
			if _, err := k.Forward(httptest.NewRecorder(), r, "203.0.113.9"); sluice.CodeOf(err) != sluice.CodeUnavailable {
				t.Errorf("got %v", err)
			}
			return time.Since(began)
		}
		var askers sync.WaitGroup
		askers.Go(func() { ask(first) })
		synctest.Wait()
		askers.Go(func() {
			if took := ask(t.Context()); took > 10*time.Second || took == 0 {
				t.Errorf("took %s", took)
			}
		})
		synctest.Wait()
		leave()
		askers.Wait()
	})
}

// Losing this means that the token which lets a process move money goes to
// whatever an answer names.
func TestHoldsGoNowhereElse(t *testing.T) {
	var strayed atomic.Int64
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }), nil)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}), nil)
	k, err := link.NewKeeper(link.KeeperConfig{
		Here: func() bool { return false }, PlaneToken: planeToken, Now: time.Now,
		Find: func(context.Context) (string, error) { return s.URL, nil },
	})
	must(t, err)
	a := link.NewSpending(link.SpendingConfig{Limits: link.NewLocal(link.LocalConfig{Now: time.Now}), Book: func() *book.Book { return nil }, Away: k.Holds(), Now: time.Now})
	if _, err = a.Admit(t.Context(), sluice.Claims{RequestID: spendingID(1).String(), Hold: aHold(1, 60, -100)}); sluice.CodeOf(err) != sluice.CodeUnavailable || strayed.Load() != 0 {
		t.Errorf("%v, %d strayed", err, strayed.Load())
	}
}

// Losing this means that the journal of a process which does not keep the ledger,
// or of a gateway that knows only such a one, waits until it does.
func TestKeeperCarriesJournals(t *testing.T) {
	var at string
	desks := []*shelf{{}, {}}
	keepers := []*link.Keeper{nil, nil}
	servers := make([]*httptest.Server, 2)
	var owner atomic.Int32
	for i := range keepers {
		k, err := link.NewKeeper(link.KeeperConfig{
			Here: func() bool { return int(owner.Load()) == i }, PlaneToken: planeToken, Now: time.Now,
			Find: func(context.Context) (string, error) { return at, nil },
		})
		must(t, err)
		h, err := link.JournalHandler(desks[i], planeToken)
		must(t, err)
		keepers[i] = k
		servers[i] = serve(t, k.Receive(k.Kept(h)), nil)
	}
	at = servers[0].URL
	const id = "00c0ffee00c0ffee"
	want := journalEntries()
	gateway, err := link.NewJournalClient(servers[1].URL, planeToken, nil)
	must(t, err)
	for name, way := range map[string]journal.Transport{"a gateway's, by the other": gateway, "the other's own": keepers[1].Transport(desks[1])} {
		desks[0].entries = nil
		if applied, err := way.Send(t.Context(), id, 7, want); err != nil || applied != 1<<40|1 || len(desks[0].entries) != len(want) || desks[1].entries != nil {
			t.Errorf("%s: applied %s, %v, %d and %d entries", name, applied, err, len(desks[0].entries), len(desks[1].entries))
		}
	}
	owner.Store(1)
	if _, err := keepers[1].Transport(desks[1]).Send(t.Context(), id, 7, want); err != nil || len(desks[1].entries) != len(want) {
		t.Errorf("at home: %v, %d entries", err, len(desks[1].entries))
	}
	desks[0].broken = sluice.Errorf(sluice.CodeUnavailable, "this process does not have the ledger").After(1)
	owner.Store(2)
	if _, err := gateway.Send(t.Context(), id, 7, want); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("nobody has it: %v", err)
	}
	if _, err := link.NewKeeper(link.KeeperConfig{}); sluice.CodeOf(err) != sluice.CodeConfig {
		t.Errorf("without a token: %v", err)
	}
}
