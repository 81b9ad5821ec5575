package sim_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var mutate = flag.Bool("mutants", false, "plant each bug in the sources, build, and see that it is caught (minutes)")

// mutant is a bug: one passage of a source file, replaced when the test binary
// is built. The sources themselves know nothing of it.
type mutant struct {
	bug       string
	file      string // below internal
	old, with string
}

// mutants are the bugs that the simulator has to catch.
var mutants = []mutant{
	// The journal.
	{"no fsync", "journal/flush.go", "if err := w.file.Sync(); err != nil {\n\t\treturn err\n\t}\n", ""},
	{"fsync repeated on the same file", "journal/flush.go", "\t\tj.abandon()\n\t\tif err = j.write(sync); err != nil {", "\t\tif err = j.write(sync); err != nil {"},
	{"called durable before the fsync", "journal/flush.go", "j.reached(w.last, 0)", "j.reached(w.last, w.last)"},
	{"a new segment's name is not synced", "journal/flush.go", "\tif err == nil {\n\t\terr = j.cfg.Disk.Sync()\n\t}\n", ""},
	{"a new segment continues what was not durable", "journal/flush.go", "previous: w.synced,", "previous: w.last,"},
	{"a failed write is not written again", "journal/flush.go", "w.file, w.done = nil, 0", "w.file = nil"},
	{"truncated before the books have it", "journal/ship.go", "s.j.Truncate(s.through)", "s.j.Truncate(s.j.Stats().Synced)"},
	{"truncated under a running request", "journal/journal.go", "applied = min(applied, l.first-1)", "_ = l"},
	{"truncated while an ending is in memory only", "journal/journal.go", "applied = min(applied, first-1)", "_ = first"},
	{"debris behind a torn entry is believed", "journal/segment.go", "limit = max(limit, f.synced)", "limit = max(limit, f.seq)"},
	{"a failed send counts as sent", "journal/ship.go", "s.sent, s.batch)\n\tif err != nil {", "s.sent, s.batch)\n\tif err != nil {\n\t\tapplied, err = s.batch[len(s.batch)-1].Seq, nil\n\t}\n\tif err != nil {"},
	{"written entries believed without fsync", "journal/recover.go", "\treturn r.rewrite()\n", "\treturn nil\n"},
	{"crash endings forget PROGRESS", "journal/recover.go", "p = *last", "_ = last"},
	{"no crash endings", "journal/recover.go", "for i := range rec.crashed {", "for i := range rec.crashed[:0] {"},
	{"no ending for a crash between attempts", "journal/recover.go", "all = append(all, r.ending(id, u, 0, true))", "continue"},
	{"checksums are not checked", "journal/frame.go", "if checksum(whole) != binary.LittleEndian.Uint32(whole[4:]) {", "if false {"},
	// The ledger.
	{"no guard on the balance", "ledger/hold.go", "\tif missing > 0 {\n\t\treturn insufficient(h.Amount, h.Amount-missing)\n\t}\n", "\t_ = missing\n"},
	{"no guard on the cap", "ledger/hold.go", "if c.available() < h.Amount {", "if false {"},
	{"promises are not counted", "ledger/account.go", "a.Posted - a.Pending - a.promised - a.unconfirmed }", "a.Posted - a.Pending - a.unconfirmed }"},
	{"credit is spent before it is stored", "ledger/account.go", "a.Posted - a.Pending - a.promised - a.unconfirmed }", "a.Posted - a.Pending - a.promised }"},
	{"a promise is not taken back", "ledger/hold.go", "\t\t\tl.from.promised -= l.amount\n\t\t\tl.from.assert()\n\t\t}\n\t}\n\tdelete", "\t\t}\n\t}\n\tdelete"},
	{"more is posted than was held", "ledger/settle.go", "post := min(l.amount, *left)", "post := *left"},
	{"what exceeds the hold is not charged", "ledger/settle.go", "\ts.overage(code, rest)\n", "\t_, _ = code, rest\n"},
	{"a hold that is not needed stays", "ledger/settle.go", "s.transfer(sluice.TransferVoid, sluice.TransferRelease, l.from, l.to, l.amount, l.pending)", "_ = s"},
	{"a late settlement is dropped", "ledger/settle.go", "\tif h == nil || !h.opened {\n\t\tcode = sluice.TransferLateSettle\n\t}\n", "\tif h == nil || !h.opened {\n\t\treturn nil, nil\n\t}\n"},
	{"settlement ids collide", "ledger/settle.go", "s.b.id(s.p.Request, s.key, \"settle\", len(s.made))", "s.b.id(s.p.Request, s.key, \"settle\", 0)"},
	{"cost ids collide over attempts", "ledger/settle.go", "\"cost\", int(p.Attempt))", "\"cost\", 0)"},
	{"a void without the hold's id", "ledger/expire.go", "Kind: sluice.TransferVoid, Pending: l.pending,", "Kind: sluice.TransferVoid,"},
	{"expiry releases only in memory", "ledger/expire.go", "\tif len(out.transfers) > 0 {\n\t\tb.outbox", "\tif len(out.transfers) > 99 {\n\t\tb.outbox"},
	{"a promise expires while its OPEN is on its way", "ledger/expire.go", "ours := !h.opened || slices", "ours := h.opened && slices"},
	{"a hold expires while its TERMINAL is on its way", "ledger/expire.go", "ours := !h.opened || slices", "ours := !h.opened && slices"},
	{"an entry is applied twice", "ledger/apply.go", "if facts[i].Seq > b.applied[journal] {", "if facts[i].Seq > 0 {"},
	{"positions are answered before the effect", "ledger/poster.go", "\tif err := p.commit(ctx); err != nil {\n\t\treturn 0, err\n\t}\n\treturn p.book.Durable(journal), nil", "\t_ = p.commit(ctx)\n\treturn p.book.Applied(journal), nil"},
	{"a failed commit is not repeated", "ledger/poster.go", "\t\t\treturn fmt.Errorf(\"committing", "\t\t\tp.book.Committed(batch)\n\t\t\treturn fmt.Errorf(\"committing"},
	{"balances are added to at a restart", "ledger/book.go", "\t\t\tb.insert(a)\n", "\t\t\ta.Posted += a.Posted\n\t\t\tb.insert(a)\n"},
	{"open holds are forgotten at a restart", "ledger/book.go", "for _, t := range s.Pending {", "for _, t := range s.Pending[:0] {"},
	{"new terms are not followed", "ledger/account.go", "\tb.follow(a, limit)\n", ""},
	{"a lowered limit is believed at once", "ledger/account.go", "floor = min(limit, a.left())", "_ = floor"},
	{"a floor above what is promised", "ledger/account.go", "floor = min(limit, a.left())", "floor = min(limit, a.Posted-a.Pending)"},
	{"a changed floor is not stored", "ledger/outbox.go", "batch.Floors[c.account] = c.floor", "_ = c"},
	{"an opened account is not stored", "ledger/outbox.go", "batch.Opened = append(batch.Opened, it.opened...)", "_ = it.opened"},
	{"a cap is opened without its limit", "ledger/hold.go", "c := b.meet(limit.Account, -limit.Limit)\n\t\th.Caps[i]", "c := b.meet(limit.Account, sluice.NoFloor)\n\t\th.Caps[i]"},
	{"a wallet is opened without its terms", "ledger/account.go", "return b.opened(sluice.Account{ID: id, Asset: id.Asset(), Floor: limit})", "return b.opened(sluice.Account{ID: id, Asset: id.Asset(), Floor: sluice.NoFloor})"},
	{"an OPEN that was not promised does not open its wallet", "ledger/hold.go", "h.legs, _ = b.legs(b.meet(o.Wallet, o.Floor), min(o.Amount, maxAmount), now)", "if w := b.accounts[o.Wallet]; w != nil {\n\t\th.legs, _ = b.legs(w, min(o.Amount, maxAmount), now)\n\t}"},
	{"a top-up repays nothing", "ledger/transfer.go", "debt == nil || debt.Posted >= 0", "debt == nil || true"},
	{"a top-up repays more than is owed", "ledger/transfer.go", "part := min(in.Amount, -debt.Posted)", "part := in.Amount"},
	// A store.
	{"floors are stored without their balances", "sluicetest/sim/db.go", "\td.bound(b.Floors)\n", "\td.w.pause(\"db.between\")\n\tdefer d.bound(b.Floors)\n"},
	{"no guard against a transfer that exists", "sluicetest/sim/db.go", "if _, exists := d.byID[t.ID]; !exists {", "if true {"},
	{"the position is committed before the effect", "sluicetest/sim/db.go", "\tfor _, a := range b.Opened {", "\tfor journal, seq := range b.Positions {\n\t\td.positions[journal] = seq\n\t}\n\td.w.pause(\"db.between\")\n\tfor _, a := range b.Opened {"},
	// A gateway.
	{"the upstream is called before OPEN is durable", "sluicetest/sim/gateway.go", "if n.journal.Reached(seq, w.level()) {\n\t\t\treturn true", "if true {\n\t\t\treturn true"},
	{"the last frame leaves before TERMINAL is durable", "sluicetest/sim/gateway.go", "for !n.journal.Reached(seq, w.level()) {", "for seq == 0 {"},
	{"a failed attempt has no TERMINAL", "sluicetest/sim/gateway.go", "\t\tn.append(&journal.Entry{Kind: journal.Terminal, Request: r.id, Attempt: attempt,", "\t\t_ = (&journal.Entry{Kind: journal.Terminal, Request: r.id, Attempt: attempt,"},
	{"every attempt charges", "sluicetest/sim/gateway.go", "posting(r, hold, c, false, sluice.OutcomeError, 0)", "posting(r, hold, c, true, sluice.OutcomeError, 1)"},
}

// TestMutants plants each bug and expects the simulator to catch it: a check
// that lets one through would let it through in the real sources, too.
func TestMutants(t *testing.T) {
	if !*mutate {
		t.Skip("needs -mutants; make faults has it")
	}
	caught := 0
	for _, m := range mutants {
		t.Run(m.bug, func(t *testing.T) {
			if out, survived := m.survives(t); survived {
				t.Errorf("nobody notices:\n%s", out)
				return
			}
			caught++
		})
	}
	t.Logf("%d of %d planted bugs are caught", caught, len(mutants))
}

// TestMutantsFitTheSources keeps the list in step with the sources on every run:
// a bug that can no longer be planted is a check that was lost.
func TestMutantsFitTheSources(t *testing.T) {
	if len(mutants) < 20 {
		t.Errorf("only %d bugs", len(mutants))
	}
	for _, m := range mutants {
		source, err := os.ReadFile(filepath.Join("..", "..", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(source), m.old) != 1 || m.old == m.with {
			t.Errorf("%s: %s does not have %q exactly once", m.bug, m.file, m.old)
		}
	}
}

// survives builds the tests of this package with the bug in them and plays
// seeds and crash points until something notices.
func (m mutant) survives(t *testing.T) (out []byte, survived bool) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), m.old) != 1 {
		t.Fatalf("%s does not have %q exactly once: the list has to follow the sources", m.file, m.old)
	}
	dir := t.TempDir()
	planted, overlay, binary := filepath.Join(dir, "planted.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim.test")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: planted}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{planted: []byte(strings.Replace(string(source), m.old, m.with, 1)), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("the bug does not build: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"-test.run=^TestSeeds", "-seeds=1000"}, {"-test.run=^TestCrashAtEveryYield$"}} {
		out, err = exec.CommandContext(ctx, binary, args...).CombinedOutput()
		if err != nil {
			return out, false
		}
	}
	return out, true
}
