package link_test

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/link"
)

// shelf is where a test's journals end.
type shelf struct {
	id      string
	after   journal.Seq
	entries []journal.Entry
	broken  error
}

func (s *shelf) Send(_ context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	if s.broken != nil {
		return 0, s.broken
	}
	s.id, s.after, s.entries = id, after, entries
	if len(entries) == 0 {
		return 7, nil
	}
	return max(entries[len(entries)-1].Seq, entries[len(entries)-1].Through), nil
}

// journalEntries are one of each kind, with everything that one can have.
func journalEntries() []journal.Entry {
	id, wallet := spendingID(9), sluice.UserWallet("acme", "ann", "EUR")
	ref := sluice.PriceRef{Version: 41, Multiplier: 1_300_000}
	posting := &sluice.Posting{Request: id, Attempt: 1, Outcome: sluice.OutcomeTimeout, Quantities: sluice.Quantities{sluice.UnitOutput: 12}, Price: ref, Wallet: wallet}
	final := *posting
	final.Final, final.Charge, final.DebtForbidden = true, 15, true
	final.Cost = sluice.CostLeg{Debit: "cogs:p@EUR", Credit: "payable:p@EUR", Amount: 3}
	at := time.Unix(1_900_000_000, 5).UTC()
	return []journal.Entry{
		{Seq: 8, Kind: journal.Open, Request: id, Attempt: 1, At: at, Record: []byte(`{"id":"x"}`), Hold: &sluice.Hold{
			Request: id, Wallet: wallet, Floor: -5, Amount: 99, Deadline: at.Add(time.Hour), Price: ref, DebtForbidden: true,
			Caps: []sluice.CapLimit{{Account: "cust.cap:key/1/day@EUR", Limit: 70}},
		}},
		{Seq: 9, Kind: journal.Progress, Request: id, Attempt: 1, At: at, Posting: posting},
		{Seq: 10, Kind: journal.Lost, Through: 30, At: time.Unix(0, 0).UTC()},
		{Seq: 1<<40 | 1, Kind: journal.Terminal, Request: id, Attempt: 1, At: at, Posting: &final, Record: bytes.Repeat([]byte{'r'}, journal.MaxRecordBytes)},
	}
}

// Losing this means that a gateway's journal arrives changed at books in another
// process.
func TestJournalOverHTTP(t *testing.T) {
	books := &shelf{}
	h, err := link.JournalHandler(books, planeToken)
	s := serve(t, h, err)
	c, err := link.NewJournalClient(s.URL, planeToken, nil)
	must(t, err)
	const id = "00c0ffee00c0ffee"
	want := journalEntries()
	applied, err := c.Send(t.Context(), id, 7, want)
	if err != nil || applied != 1<<40|1 || books.id != id || books.after != 7 {
		t.Fatalf("applied %s, %v, journal %q after %s", applied, err, books.id, books.after)
	}
	if !reflect.DeepEqual(books.entries, want) {
		t.Errorf("arrived:\n%+v\nwant:\n%+v", books.entries, want)
	}
	if applied, err := c.Send(t.Context(), id, 0, nil); err != nil || applied != 7 || len(books.entries) != 0 {
		t.Errorf("a question for the position: %s, %v", applied, err)
	}
	books.broken = sluice.Errorf(sluice.CodeUnavailable, "this process does not have the ledger").After(3)
	if _, err := c.Send(t.Context(), id, 0, nil); sluice.CodeOf(err) != sluice.CodeUnavailable || sluice.AsError(err).RetryAfter != 3 {
		t.Errorf("books that cannot: %v", err)
	}
}

// Losing this means that something which is no journal reaches the ledger, or
// that anybody may write it.
func TestJournalHandlerRefuses(t *testing.T) {
	books := &shelf{}
	h, err := link.JournalHandler(books, planeToken)
	s := serve(t, h, err)
	head := "00c0ffee00c0ffee\n\x00\x00\x00\x00\x00\x00\x00\x00"
	good := string(journal.AppendBatch([]byte(head), journalEntries()))
	const journalType = "application/vnd.sluice.journal.v1"
	for name, c := range map[string]struct {
		token, kind, body string
		status            int
	}{
		"good":            {planeToken, journalType, good, 200},
		"no token":        {"", journalType, good, 401},
		"another token":   {planeToken + "x", journalType, good, 401},
		"JSON":            {planeToken, "application/json", `{}`, 415},
		"empty":           {planeToken, journalType, "", 400},
		"no position":     {planeToken, journalType, head[:20], 400},
		"another id":      {planeToken, journalType, "x" + good, 400},
		"cut off":         {planeToken, journalType, good[:len(good)-1], 400},
		"behind position": {planeToken, journalType, "00c0ffee00c0ffee\n\x08\x00\x00\x00\x00\x00\x00\x00" + good[len(head):], 400},
		"too large":       {planeToken, journalType, head + string(make([]byte, 13<<20)), 413},
	} {
		t.Run(name, func(t *testing.T) {
			books.entries = nil
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+link.JournalPath, bytes.NewReader([]byte(c.body)))
			must(t, err)
			req.Header.Set("Content-Type", c.kind)
			if c.token != "" {
				req.Header.Set("Authorization", "Bearer "+c.token)
			}
			res, err := http.DefaultClient.Do(req)
			must(t, err)
			res.Body.Close()
			if res.StatusCode != c.status || c.status != 200 && books.entries != nil {
				t.Errorf("%d, want %d; %d entries arrived", res.StatusCode, c.status, len(books.entries))
			}
		})
	}
}
