package app_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/app"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/store"
)

// savedGateway is a data folder whose gateway died: a database without a ledger
// yet, and a journal with one request that ended, charged the given amount, and
// one that a crash left open after PROGRESS. A token costs 3 nanos.
func savedGateway(t *testing.T, charge sluice.Nanos) (data, folder string) {
	t.Helper()
	data = t.TempDir()
	folder = filepath.Join(data, "journal")
	db, err := store.Open(t.Context(), store.Config{Path: filepath.Join(data, "sluice.db")})
	must(t, err)
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		return tx.InsertPrice(&sluice.Price{Model: "m", Asset: "USD", From: time.Unix(1, 0).UTC(), Rates: map[sluice.Unit]sluice.Rate{sluice.UnitOutput: 3_000_000}})
	})
	must(t, err)
	must(t, db.Close())

	disk, err := journal.NewFolder(folder)
	must(t, err)
	j, _, err := journal.OpenJournal(journal.Config{Disk: disk})
	must(t, err)
	ref, now := sluice.PriceRef{Version: 1, Multiplier: sluice.NoMultiplier}, time.Now().UTC()
	wallet := sluice.TenantWallet("acme", "USD")
	add := func(e journal.Entry) {
		t.Helper()
		e.Attempt, e.At = 1, now
		if e.Posting != nil {
			e.Posting.Request, e.Posting.Attempt, e.Posting.Price, e.Posting.Wallet = e.Request, 1, ref, wallet
		}
		_, err := j.Append(&e)
		must(t, err)
	}
	for n := range byte(2) {
		id := sluice.RequestID{1, 15: n + 1}
		add(journal.Entry{Kind: journal.Open, Request: id, Hold: &sluice.Hold{
			Request: id, Wallet: wallet, Floor: sluice.NoFloor, Amount: 400, Deadline: now.Add(time.Hour), Price: ref,
		}})
	}
	add(journal.Entry{Kind: journal.Progress, Request: sluice.RequestID{1, 15: 2}, Posting: &sluice.Posting{Quantities: sluice.Quantities{sluice.UnitOutput: 10}, Charge: 0}})
	add(journal.Entry{Kind: journal.Terminal, Request: sluice.RequestID{1, 15: 1}, Posting: &sluice.Posting{
		Final: true, Outcome: sluice.OutcomeComplete, Quantities: sluice.Quantities{sluice.UnitOutput: 100}, Charge: charge,
	}})
	must(t, j.Flush())
	must(t, j.Close())
	return data, folder
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ledgerCommand runs `sluice ledger` on a data folder.
func ledgerCommand(t *testing.T, data string, args ...string) (status int, out string) {
	t.Helper()
	var b bytes.Buffer
	status = app.Run(t.Context(), &b, &b, []string{"SLUICE_DATA_DIR=" + data}, append([]string{"ledger"}, args...))
	return status, b.String()
}

// Losing this means that the books of a dead gateway cannot be saved, that saving
// them twice charges twice, or that a good ledger is called bad.
func TestLedgerReplayAndVerify(t *testing.T) {
	data, folder := savedGateway(t, 300)
	before, err := os.ReadDir(folder)
	must(t, err)
	if status, out := ledgerCommand(t, data, "verify", "--journal", folder); status != 0 || !strings.Contains(out, "1 endings, 1 not booked yet, 1 requests open") {
		t.Errorf("before the replay: %d %s", status, out)
	}
	for i, want := range []string{"5 booked now, 1 requests ended", "0 booked now"} {
		if status, out := ledgerCommand(t, data, "replay", "--journal", folder); status != 0 || !strings.Contains(out, want) {
			t.Errorf("replay %d: %d %s", i+1, status, out)
		}
	}
	if status, out := ledgerCommand(t, data, "verify", "--journal", folder); status != 0 || !strings.Contains(out, "no violation") {
		t.Errorf("after the replay: %d %s", status, out)
	}
	status, out := ledgerCommand(t, data, "export", "accounts")
	if status != 0 || !strings.Contains(out, "cust.wallet:acme@USD,USD,,,,-0.0000003,0\n") {
		t.Errorf("accounts: %d %s", status, out)
	}
	if status, out = ledgerCommand(t, data, "export", "transfers", "--format", "jsonl"); status != 0 || strings.Count(out, "\n") != 4 || !strings.Contains(out, `"code":"charge"`) {
		t.Errorf("transfers: %d %s", status, out)
	}
	after, err := os.ReadDir(folder)
	must(t, err)
	if len(after) != len(before) {
		t.Errorf("the journal has %d files, it had %d", len(after), len(before))
	}
	if status, out := ledgerCommand(t, data, "export", "accounts", "--format", "xml"); status != 2 {
		t.Errorf("a wrong format: %d %s", status, out)
	}
}

// Losing this means that a ledger or a journal that somebody changed passes for a
// good one.
func TestLedgerVerifySeesWhatIsWrong(t *testing.T) {
	execute := func(query string) func(t *testing.T, data, folder string) {
		return func(t *testing.T, data, _ string) {
			db, err := sql.Open("sqlite", filepath.Join(data, "sluice.db"))
			must(t, err)
			defer db.Close()
			for _, q := range strings.Split(query, ";") {
				_, err = db.Exec(q)
				must(t, err)
			}
		}
	}
	for name, c := range map[string]struct {
		charge sluice.Nanos
		damage func(t *testing.T, data, folder string)
		want   string
	}{
		"a balance":            {300, execute(`UPDATE accounts SET posted = posted + 1 WHERE id LIKE 'cust.wallet%'`), "I2\tcust.wallet:acme@USD"},
		"a sum":                {300, execute(`UPDATE accounts SET posted = posted + 1 WHERE id LIKE 'cust.wallet%'`), "I1\tUSD"},
		"a price that is gone": {300, execute(`DROP TRIGGER prices_keep_rows; DELETE FROM prices`), "I6\t"},
		"a wrong charge":       {299, nil, "charged 0.000000299, its usage costs 0.0000003"},
		"a changed journal": {300, func(t *testing.T, _, folder string) {
			path := filepath.Join(folder, "journal-000000000001.log")
			b, err := os.ReadFile(path)
			must(t, err)
			b[150] ^= 4
			must(t, os.WriteFile(path, b, 0o600))
		}, "I11\t"},
	} {
		t.Run(name, func(t *testing.T) {
			data, folder := savedGateway(t, c.charge)
			if status, out := ledgerCommand(t, data, "replay", "--journal", folder); status != 0 {
				t.Fatalf("replay: %s", out)
			}
			if c.damage != nil {
				c.damage(t, data, folder)
			}
			status, out := ledgerCommand(t, data, "verify", "--journal", folder)
			if status != 1 || !strings.Contains(out, c.want) {
				t.Errorf("status %d, want a line with %q: %s", status, c.want, out)
			}
		})
	}
}
