package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// former is a store of before schema 6: no id begins with its request's.
type former struct{ ledger.Store }

func (f former) Load(ctx context.Context) (ledger.State, error) {
	s, err := f.Store.Load(ctx)
	s.Former = time.Now().AddDate(100, 0, 0)
	return s, err
}

// requestNow is the id of a request that begins now.
func requestNow(n byte) (id sluice.RequestID) {
	binary.BigEndian.PutUint64(id[:], uint64(time.Now().UnixMilli())<<16)
	id[6], id[15] = 0x70, n
	return id
}

// migrateTransferIDs takes a database back to how the version before schema 6 left
// it, and runs that migration: what came after touches neither.
func migrateTransferIDs(t *testing.T, at store.Config) {
	t.Helper()
	must(t, raw(t, at, `DROP INDEX transfers_request`, `CREATE INDEX transfers_request ON transfers (request) WHERE request IS NOT NULL`,
		`ALTER TABLE ledger_owner DROP COLUMN former`))
	own := "migrations/0006_transfer_ids.sqlite.sql"
	if sluicetest.OnPostgres() {
		own = "migrations/0006_transfer_ids.postgres.sql"
	}
	for _, file := range []string{"migrations/0006_transfer_ids.sql", own} {
		ddl, err := os.ReadFile(file)
		must(t, err)
		must(t, raw(t, at, string(ddl)))
	}
}

// Lost if it fails: what was charged before an upgrade is charged once more when
// another journal tells of it, or nobody finds what was booked for it.
func TestUpgradeKeepsIDs(t *testing.T) {
	at := place(t)
	db, err := store.Open(t.Context(), at)
	must(t, err)
	b := newBooks(t, db)
	b.restart(func(s ledger.Store) ledger.Store { return former{s} })
	b.topUp("a", acmeWallet, 2000)
	done, running, fresh := requestNow(1), requestNow(2), requestNow(3)
	binary.BigEndian.PutUint64(fresh[:], uint64(time.Now().AddDate(0, 0, 2).UnixMilli())<<16)
	hold := func(id sluice.RequestID) ledger.Fact {
		return ledger.Fact{Hold: &sluice.Hold{Request: id, Wallet: acmeWallet, Amount: 400, Deadline: noon.Add(time.Hour)}}
	}
	end := func(id sluice.RequestID, final bool) ledger.Fact {
		p := &sluice.Posting{Request: id, Attempt: 1, Final: final, Outcome: sluice.OutcomeComplete, Wallet: acmeWallet, Cost: sluice.CostLeg{Debit: "cogs:p@USD", Credit: "payable:p@USD", Amount: 9}}
		if final {
			p.Charge = 150
		}
		return ledger.Fact{Posting: p}
	}
	must(t, b.receive([]ledger.Fact{hold(done), hold(running), end(done, true), end(running, false)}))
	must(t, db.Close())

	migrateTransferIDs(t, at)
	b = newBooks(t, open(t, at))
	again := []ledger.Fact{end(done, true), end(running, true), hold(fresh), end(fresh, true)}
	for i := range again {
		again[i].Seq = uint64(i + 1)
	}
	_, err = b.Receive(t.Context(), "another", 0, again)
	must(t, err)
	refund := sluice.Transfer{ID: sluice.NewTransferID("r", "refund", 0), Debit: "sys.revenue@USD", Credit: acmeWallet, Amount: 5, Kind: sluice.TransferSingle, Code: sluice.TransferRefund, Request: done}
	_, err = b.Poster.Transfer(t.Context(), refund)
	must(t, err)
	for _, c := range []struct {
		id     sluice.RequestID
		codes  string
		prefix bool
	}{
		{done, "hold charge cost refund", false}, {running, "hold cost charge", false}, {fresh, "hold charge cost", true},
	} {
		var list []sluice.Transfer
		must(t, b.db.Read(t.Context(), func(tx *store.Tx) (err error) { list, err = tx.RequestTransfers(c.id); return err }))
		codes := map[sluice.TransferCode]int{}
		for _, x := range list {
			codes[x.Code]++
			if bytes.HasPrefix(x.ID[:], c.id[:8]) != c.prefix || bytes.HasPrefix(x.Txn[:], c.id[:8]) != c.prefix {
				t.Errorf("transfer %s of request %s, in %s", x.ID, c.id, x.Txn)
			}
		}
		for _, code := range bytes.Fields([]byte(c.codes)) {
			if codes[sluice.TransferCode(code)] != 1 {
				t.Errorf("request %s has %d transfers of %s: %v", c.id, codes[sluice.TransferCode(code)], code, codes)
			}
		}
	}
	if balance, _ := b.Balance(acmeWallet); balance.Posted != 2000-3*150+5 {
		t.Errorf("three requests for 150 leave %s", balance.Posted)
	}
}
