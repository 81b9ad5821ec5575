package link

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// HoldsPath is where processes that do not keep the ledger ask for holds.
const HoldsPath = "/internal/v1/holds"

const (
	// holdTimeout bounds the question for a hold: a client waits for it.
	holdTimeout = 2 * time.Second
	// maxHoldConns bounds the connections to the keeper: a question takes about a
	// millisecond of one.
	maxHoldConns = 128
	// maxOwed bounds how many holds wait to be given back; what exceeds it is given
	// back by the deadlines of the holds.
	maxOwed = 1_000
)

// holdsAsked is the body of a question: what to give back, then what to hold or to
// extend.
type holdsAsked struct {
	Release []sluice.RequestID `json:"release,omitempty"`
	Hold    *sluice.Hold       `json:"hold,omitempty"`
	Extend  *extension         `json:"extend,omitempty"`
}

// extension is a running request's new total.
type extension struct {
	Request sluice.RequestID `json:"request"`
	Total   sluice.Nanos     `json:"total"`
}

// HoldsHandler serves [HoldsPath]: it sets aside what processes ask for that do
// not keep the ledger. book returns the ledger in memory, or nil while it may not
// decide. The token as for [EventsHandler].
func HoldsHandler(book func() *ledger.Book, planeToken string, now func() time.Time) (http.Handler, error) {
	if err := CheckPlaneToken(planeToken); err != nil {
		return nil, err
	}
	return guarded(planeToken, func(w http.ResponseWriter, r *http.Request) {
		var asked holdsAsked
		err := readBody(w, r, &asked)
		if sluice.CodeOf(err) == sluice.CodeInvalidRequest { // no decision on a hold
			err = sluice.Errorf(sluice.CodeUnavailable, "the question cannot be read: run the same version on all processes").After(1).Because(err)
		}
		if err == nil {
			err = asked.carryOut(book(), now())
		}
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, struct{}{})
	}), nil
}

// carryOut does what was asked.
func (a *holdsAsked) carryOut(book *ledger.Book, now time.Time) error {
	if book == nil {
		return sluice.Errorf(sluice.CodeUnavailable, "this process does not have the ledger, or it has not caught up with its journal").After(1)
	}
	for _, id := range a.Release {
		book.Release(id)
	}
	switch {
	case a.Hold != nil:
		return book.Hold(*a.Hold, now)
	case a.Extend != nil:
		return book.Extend(a.Extend.Request, a.Extend.Total, now)
	}
	return nil
}

// Holds asks the process that keeps the ledger, over HTTP, for what requests of
// this one may cost. It is safe for concurrent use and answers within two seconds.
type Holds struct {
	locate func(ctx context.Context) (base string, err error)
	forget func()
	client planeClient

	mu sync.Mutex
	// owed are holds of which it is not known whether they were taken, and that
	// nobody needs.
	owed []sluice.RequestID
}

// NewHolds returns holds at the control plane at url, which passes them on where
// another process keeps the ledger; arguments as for [NewEventsClient].
func NewHolds(url, planeToken string) (*Holds, error) {
	asking := holdsClient()
	asking.Transport.(*http.Transport).Proxy = http.ProxyFromEnvironment // as all else that goes to control
	c, err := newPlaneClient(url, "", planeToken, asking)
	base := c.url
	return &Holds{locate: func(context.Context) (string, error) { return base, nil }, forget: func() {}, client: c}, err
}

// Holds returns holds at the process that keeps the ledger; nil when there is no
// other one.
func (k *Keeper) Holds() *Holds {
	if k == nil {
		return nil
	}
	return &Holds{locate: k.locate, forget: k.forget, client: planeClient{
		token: k.cfg.PlaneToken, forwarded: true, http: holdsClient(), contentType: "application/json",
	}}
}

// holdsClient keeps as many connections as requests ask at once, within reason;
// beyond that they wait for one.
func holdsClient() *http.Client {
	t := keeperTransport(maxHoldConns)
	t.MaxConnsPerHost = maxHoldConns
	return &http.Client{Transport: t, Timeout: holdTimeout, CheckRedirect: stay}
}

// take asks for a hold. What was asked and not answered is given back with the
// next question.
func (h *Holds) take(ctx context.Context, hold *sluice.Hold) error {
	err := h.ask(ctx, holdsAsked{Hold: hold})
	if err == nil || isDecision(err) {
		return err
	}
	h.owe(hold.Request)
	return sluice.Errorf(sluice.CodeUnavailable, "the balance of %s cannot be decided on now: the process that keeps the ledger does not decide", hold.Wallet).After(1).Because(err)
}

// extend asks for a greater total.
func (h *Holds) extend(ctx context.Context, id sluice.RequestID, total sluice.Nanos) error {
	err := h.ask(ctx, holdsAsked{Extend: &extension{id, total}})
	if err == nil || isDecision(err) {
		return err
	}
	return sluice.Errorf(sluice.CodeUnavailable, "the process that keeps the ledger does not decide now").After(1).Because(err)
}

// isDecision reports whether an error is what a ledger says to a hold, and not
// that it could not be asked.
func isDecision(err error) bool {
	switch sluice.CodeOf(err) {
	case sluice.CodeInsufficientBalance, sluice.CodeConflict, sluice.CodeInvalidRequest:
		return true
	}
	return false
}

// release gives a hold back: now or, if that fails, with the next question.
func (h *Holds) release(ctx context.Context, id sluice.RequestID) {
	h.owe(id)
	_ = h.ask(ctx, holdsAsked{})
}

// owe notes a hold to give back.
func (h *Holds) owe(ids ...sluice.RequestID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owed = append(h.owed, ids[:min(len(ids), maxOwed-len(h.owed))]...)
}

// due takes what is owed.
func (h *Holds) due() (ids []sluice.RequestID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids, h.owed = h.owed, nil
	return ids
}

// ask sends a question, once.
func (h *Holds) ask(ctx context.Context, asked holdsAsked) error {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	asked.Release = h.due()
	body, err := json.Marshal(asked)
	if err != nil {
		return fmt.Errorf("rendering a hold: %w", err)
	}
	base, err := h.locate(ctx)
	if err == nil {
		c := h.client
		c.url = base + HoldsPath
		err = c.post(ctx, body, &struct{}{})
	}
	if err != nil && !isDecision(err) {
		h.forget()
		h.owe(asked.Release...)
	}
	return err
}
