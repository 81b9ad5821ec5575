package link_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	book "github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/link"
)

// teller is a process that keeps a ledger, and another one's admission that asks
// it.
type teller struct {
	book  *book.Book
	asked atomic.Int64
	// mute commits and does not answer; closed does not decide.
	mute, closed atomic.Bool
	*link.Spending
}

func newTeller(t *testing.T) *teller {
	t.Helper()
	now := func() time.Time { return time.Unix(1_900_000_000, 0) }
	l := &teller{book: book.NewBook(book.Config{})}
	h, err := link.HoldsHandler(func() *book.Book {
		if l.closed.Load() {
			return nil
		}
		return l.book
	}, planeToken, now)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		if l.mute.Load() {
			h.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}), err)
	holds, err := link.NewHolds(s.URL, planeToken)
	must(t, err)
	l.Spending = link.NewSpending(link.SpendingConfig{
		Limits: link.NewLocal(link.LocalConfig{Now: now}), Book: func() *book.Book { return nil }, Away: holds,
		TopUpURL: "https://sluice.example/billing", Now: now,
	})
	return l
}

// admit asks for a hold of acme's wallet.
func (l *teller) admit(t *testing.T, n byte, h *sluice.Hold, limit int64) (sluice.Grant, error) {
	t.Helper()
	return l.Admit(t.Context(), sluice.Claims{RequestID: spendingID(n).String(), List: aClaim(limit), Hold: h})
}

func (l *teller) available() sluice.Nanos {
	b, _ := l.book.Balance(sluice.TenantWallet("acme", "USD"))
	return b.Available
}

// Losing this means that a gateway which does not keep the ledger serves for
// nothing, keeps money of requests that never ran, or refuses whom it might serve.
func TestHoldsOfAnotherProcess(t *testing.T) {
	l := newTeller(t)
	first, err := l.admit(t, 1, aHold(1, 60, -100), 1)
	if err != nil || l.available() != 40 {
		t.Fatalf("%v, %s available", err, l.available())
	}
	if _, err := l.admit(t, 2, aHold(2, 30, -100), 1); sluice.CodeOf(err) != sluice.CodeConcurrency || l.available() != 40 {
		t.Errorf("over the limit: %v, %s available", err, l.available())
	}
	_, err = l.admit(t, 3, aHold(3, 50, -100), 9)
	if e := sluice.AsError(err); e.Code != sluice.CodeInsufficientBalance || e.Details["top_up_url"] == nil ||
		e.Details["required"] != sluice.Nanos(50).String() || e.Details["available"] != sluice.Nanos(40).String() {
		t.Errorf("over the balance: %v, %v", err, e.Details)
	}
	if err := l.Extend(t.Context(), spendingID(1), 90); err != nil || l.available() != 10 {
		t.Errorf("an extension: %v, %s available", err, l.available())
	}
	if err := l.Extend(t.Context(), spendingID(1), 101); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("an extension beyond: %v", err)
	}
	must(t, l.Release(t.Context(), first))
	if l.available() != 100 {
		t.Errorf("%s available after all was released", l.available())
	}
	asked := l.asked.Load()
	grant, err := l.admit(t, 4, aHold(4, 1<<40, sluice.NoFloor), 9)
	must(t, err)
	must(t, l.Extend(t.Context(), spendingID(4), 1<<50))
	must(t, l.Settle(t.Context(), grant, 7))
	if l.asked.Load() != asked {
		t.Error("spending without a limit asks another process")
	}
	capped := aHold(5, 40, sluice.NoFloor)
	capped.Caps = []sluice.CapLimit{{Account: "cust.cap:key/1/total@USD", Limit: 50}}
	if _, err := l.admit(t, 5, capped, 9); err != nil {
		t.Errorf("a cap with room: %v", err)
	}
	again := *capped
	again.Request = spendingID(6)
	if _, err := l.admit(t, 6, &again, 9); sluice.CodeOf(err) != sluice.CodeInsufficientBalance || sluice.AsError(err).Details["cap"] != "cust.cap:key/1/total@USD" {
		t.Errorf("a cap without: %v", err)
	}
}

// Losing this means that an answer which got lost keeps money until its deadline,
// or that a client is told that it is poor when nobody could look.
func TestHoldsThatAreNotAnswered(t *testing.T) {
	l := newTeller(t)
	l.mute.Store(true)
	if _, err := l.admit(t, 1, aHold(1, 60, -100), 9); sluice.CodeOf(err) != sluice.CodeUnavailable || sluice.AsError(err).RetryAfter == 0 {
		t.Errorf("no answer: %v", err)
	}
	l.mute.Store(false)
	if _, err := l.admit(t, 2, aHold(2, 100, -100), 9); err != nil {
		t.Errorf("what was not answered is still held: %v", err)
	}
	l.closed.Store(true)
	if _, err := l.admit(t, 3, aHold(3, 1, -100), 9); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("who does not decide: %v", err)
	}
	l.closed.Store(false)
	g, err := l.admit(t, 4, aHold(4, 0, -100), 9)
	must(t, err)
	l.mute.Store(true)
	must(t, l.Release(t.Context(), g))
}

// Losing this means that what a question gives back is lost when it cannot be
// read, as between two versions: the asker takes a refusal of the hold for a decision.
func TestHoldsThatCannotBeRead(t *testing.T) {
	l := newTeller(t)
	h, err := link.HoldsHandler(func() *book.Book { return l.book }, planeToken, time.Now)
	must(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, link.HoldsPath, strings.NewReader(`{"hold": 7}`))
	r.Header.Set("Authorization", "Bearer "+planeToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Losing this means that anybody may set money aside.
func TestHoldsNeedTheToken(t *testing.T) {
	l := newTeller(t)
	h, err := link.HoldsHandler(func() *book.Book { return l.book }, planeToken, time.Now)
	s := serve(t, h, err)
	stranger, err := link.NewHolds(s.URL, planeToken+"x")
	must(t, err)
	a := link.NewSpending(link.SpendingConfig{Limits: link.NewLocal(link.LocalConfig{Now: time.Now}), Book: func() *book.Book { return nil }, Away: stranger, Now: time.Now})
	_, err = a.Admit(t.Context(), sluice.Claims{RequestID: spendingID(1).String(), Hold: aHold(1, 60, -100)})
	if code := sluice.CodeOf(err); code != sluice.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if len(l.book.Check(time.Now(), time.Hour).Violations) != 0 || l.available() != 0 {
		t.Error("money moved")
	}
	if _, err := link.HoldsHandler(nil, "short", time.Now); sluice.CodeOf(err) != sluice.CodeConfig {
		t.Errorf("a weak token: %v", err)
	}
}
