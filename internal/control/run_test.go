package control_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// Lost if it fails: a payment that was agreed on when a process died waits until
// somebody asks for it again, because nobody looks once a second whether the
// ledger came, nor every minute afterwards; or the loop outlives its process.
func TestRunCompletesPayments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, books, _ := shakyPlane(t)
		cfg := p.config(masterKey)
		log := &bytes.Buffer{} // read while the loop sleeps
		cfg.Ledger, cfg.Log = books, slog.New(slog.NewTextHandler(log, nil))
		var err error
		p.Control, err = control.New(cfg)
		must(t, err)
		root := p.As(control.System())
		posted := func() sluice.Nanos {
			b, _ := books.Ledger.Book().Balance(sluice.TenantWallet("acme", "USD"))
			return b.Posted
		}
		// unheard is a payment that is agreed on and does not reach the ledger.
		unheard := func(id string) {
			t.Helper()
			books.deaf.Store(true)
			_, _, err := root.TopUp(t.Context(), sluice.Payment{ID: id, WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Amount: usd, Asset: "USD"}, sluice.WriteOptions{})
			wants(t, err, sluice.CodeInternal, "a top-up that nobody heard")
			books.deaf.Store(false)
		}
		// passes lets time pass for the ticker, and for what asks the clock.
		passes := func(d time.Duration) {
			p.clock.add(d)
			time.Sleep(d)
			synctest.Wait()
		}
		unheard("earlier")
		books.lost.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); p.Run(ctx) }()
		passes(5 * time.Second)
		if posted() != 0 {
			t.Error("completed without the ledger")
		}
		books.lost.Store(false)
		passes(time.Second)
		if posted() != usd {
			t.Errorf("a second after the ledger came the wallet has %s", posted())
		}
		unheard("later")
		passes(50 * time.Second)
		if posted() != usd {
			t.Error("completed before it was due")
		}
		books.deaf.Store(true)
		passes(11 * time.Second)
		if n := strings.Count(log.String(), "wait for the ledger"); n != 1 || posted() != usd {
			t.Errorf("a minute later it is told %d times that it cannot be completed; the wallet has %s\n%s", n, posted(), log)
		}
		books.deaf.Store(false)
		passes(time.Minute)
		if posted() != 2*usd {
			t.Errorf("a minute after the failure the wallet has %s", posted())
		}
		cancel()
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("it goes on after its process")
		}
	})
}
