package store_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// mark is in every text of the corpus, so that a log can be searched for it.
const mark = "zq7x"

// corpus is what attackers type (T-CVE-2).
var corpus = []string{
	mark + `'`, mark + `"`, mark + `';--`, mark + `' OR '1'='1`, mark + `"; DROP TABLE "keys"; --`, mark + `'; DROP TABLE records; --`,
	mark + `') UNION SELECT password_hash FROM users --`, mark + `\'; SELECT pg_sleep(9); --`, mark + `$1`, mark + `$$; DROP TABLE audit; $$`,
	mark + `/*`, mark + `*/`, mark + `%`, mark + `_`, mark + `!`, mark + `!%`, mark + `?`, mark + `:name`, mark + `@p1`, mark + "\n;\n--", mark + "\\",
	mark + `' || (SELECT version()) || '`, mark + `0x27`, mark + "nul\x00'", mark + "broken\xff'", mark + "\u02bc\uff07'", mark + `{"a":1}`, mark + "`id`",
}

// Lost if it fails: a client's text becomes SQL (LiteLLM's CVE-2026-42208).
func TestTextsNeverBecomeSQL(t *testing.T) {
	at := place(t)
	if sluicetest.OnPostgres() {
		at.DSN += " log_statement=all log_parameter_max_length=-1"
	}
	db := open(t, at)
	for i, text := range corpus {
		everyInput(t, db, i, text)
	}
	s, err := db.Snapshot(t.Context())
	must(t, err)
	if len(s.Keys) != len(corpus) {
		t.Errorf("%d keys of %d", len(s.Keys), len(corpus))
	}
	n, err := db.VerifyAudit(t.Context())
	if err != nil || int(n) != len(corpus) {
		t.Errorf("%d audit entries: %v", n, err)
	}
	if sluicetest.OnPostgres() {
		onlyParameters(t, sluicetest.Postgres(t).Log())
	}
}

// onlyParameters fails when a logged statement holds a client's text.
func onlyParameters(t *testing.T, log string) {
	t.Helper()
	entries := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d `).Split(log, -1)
	parameters := 0
	for _, entry := range entries {
		if !strings.Contains(entry, mark) {
			continue
		}
		if !strings.Contains(entry, "DETAIL:  parameters: ") {
			t.Errorf("a text became SQL: %s", entry)
		}
		parameters++
	}
	if parameters < 10*len(corpus) {
		t.Errorf("the texts are in %d entries of the log: it does not show statements", parameters)
	}
}

// everyInput puts a text wherever the store takes one.
func everyInput(t *testing.T, db *store.DB, i int, text string) {
	t.Helper()
	ctx := t.Context()
	key := &sluice.Key{User: text, Group: text, TokenHash: text, RetiringHash: text}
	key.Tenant, key.Name, key.Description = text, text, text
	user := &sluice.User{Email: text, Password: text}
	user.Tenant, user.Name = text, text
	must(t, db.Write(ctx, func(tx *store.Tx) error {
		must(t, tx.Insert(key))
		must(t, tx.Insert(user))
		must(t, tx.Link(key, store.Links{Targets: []store.Target{{Field: text, Kind: sluice.KindUser, ID: user.ID}}, SharedWith: []string{text}}))
		must(t, tx.Append(&sluice.AuditEntry{Tenant: text, Actor: text, Action: text, Kind: "keys", Object: text, RequestID: text, IP: text, Diff: []byte(`{}`)}))
		_, err := tx.Changed(key)
		must(t, err)
		must(t, tx.InsertPrice(&sluice.Price{Model: text, Tenant: text, Asset: text, From: noon}))
		must(t, tx.SetSetting(text, text))
		must(t, tx.AddReplay(store.Replay{Caller: text, Key: text, RequestHash: text, Kind: "keys", ExpiresAt: tx.Now().Add(time.Hour)}))
		must(t, tx.AddRefreshToken(store.RefreshToken{Hash: text, Family: text, UserID: user.ID, ExpiresAt: tx.Now().Add(time.Hour)}))
		must(t, tx.AddSession(store.ConsoleSession{Hash: text, CSRF: text, UserID: user.ID, ExpiresAt: tx.Now().Add(time.Hour)}))
		must(t, tx.ReplaceSetupToken(text, tx.Now().Add(time.Hour)))
		return tx.SetAttempts(text, store.Attempts{Failures: 1, LastAt: tx.Now()}, time.Time{})
	}))
	must(t, db.Read(ctx, func(tx *store.Tx) error { return readBack(t, tx, key, text) }))
	must(t, db.InsertRecords(ctx, []sluice.Record{{ID: fmt.Sprint(i, text), Time: noon, Tenant: text, User: text, Key: text, Model: text,
		Provider: text, Route: text, Outcome: sluice.Outcome(text)}}))
	q := sluice.RecordQuery{Tenant: text, User: text, Key: text, Model: text, Provider: text, Route: text, Outcome: text}
	page, err := db.Records(ctx, q)
	must(t, err)
	rows, err := db.Usage(ctx, sluice.UsageQuery{RecordQuery: q})
	must(t, err)
	if len(page.Items) != 1 || len(rows) != 1 || rows[0].Requests != 1 {
		t.Errorf("%q: %d records, usage %+v", text, len(page.Items), rows)
	}
	audit, err := db.Audit(ctx, sluice.AuditQuery{Tenant: text, Actor: text, Action: text, Kind: "keys", Object: text})
	if err != nil || len(audit.Items) != 1 {
		t.Errorf("%q: audit %+v, %v", text, audit.Items, err)
	}
	_, err = db.Audit(ctx, sluice.AuditQuery{Cursor: text})
	wants(t, err, sluice.CodeInvalidRequest, "a cursor")
	_, err = db.Records(ctx, sluice.RecordQuery{Cursor: text})
	wants(t, err, sluice.CodeInvalidRequest, "a cursor")
	_, err = db.Usage(ctx, sluice.UsageQuery{GroupBy: []string{text}})
	wants(t, err, sluice.CodeInvalidRequest, "a dimension")
}

// readBack finds the key by every way there is, and nothing else.
func readBack(t *testing.T, tx *store.Tx, key *sluice.Key, text string) error {
	t.Helper()
	o, err := tx.ByName(sluice.KindKey, text, text)
	must(t, err)
	if o.GetMeta().ID != key.ID || o.(*sluice.Key).User != strings.ToValidUTF8(text, "\uFFFD") {
		t.Errorf("%q came back as %+v", text, o)
	}
	for what, sel := range map[string]store.Selection{
		"match":  {Tenant: text, Match: map[string]string{"user": text, "group": text, "name": text}},
		"search": {Tenant: text, Search: text},
		"shared": {Tenant: text, Shared: true},
	} {
		found, err := tx.List(sluice.KindKey, sel)
		if err != nil || len(found) != 1 || found[0].GetMeta().ID != key.ID {
			t.Errorf("%q by %s: %d objects, %v", text, what, len(found), err)
		}
	}
	_, err = tx.List(sluice.KindKey, store.Selection{Match: map[string]string{text: text}})
	wants(t, err, sluice.CodeInvalidRequest, "a filter's name")
	_, err = tx.CredentialOf(text)
	must(t, err)
	_, err = tx.RefreshToken(text)
	must(t, err)
	_, err = tx.Session(text)
	must(t, err)
	_, err = tx.ReplayOf(text, text)
	must(t, err)
	_, _, err = tx.Referrers(key, 9)
	must(t, err)
	return nil
}

// wildcards is the longest search that control lets through.
var wildcards = strings.Repeat("%_", 64)

// Lost if it fails: one search for wildcards keeps the database busy (T-CVE-9).
// It may cost what any other search costs that finds nothing.
func TestWildcardSearchIsCheap(t *testing.T) {
	const rows, factor = 5000, 4
	at := place(t)
	db := open(t, at)
	numbers := `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + fmt.Sprint(rows) + `)`
	must(t, raw(t, at, numbers+` INSERT INTO models (id, tenant, name, version, created_at, updated_at, search, doc, status)
		SELECT i, 'acme', 'model-' || i, 1, 0, 0, 'model-' || i || ' %_%_ a description of ordinary length, with some more words in it', '{}', 'active' FROM n`))
	plain, wild := searchTime(t, db, strings.Repeat("ab", 64)), searchTime(t, db, wildcards)
	t.Logf("%v, with wildcards %v, for %d rows", plain, wild, rows)
	if wild > factor*plain {
		t.Errorf("a search for wildcards takes %v, another one %v", wild, plain)
	}
}

// searchTime is the best of several: the machine may be busy.
func searchTime(t *testing.T, db *store.DB, text string) time.Duration {
	t.Helper()
	best := time.Hour
	for range 7 {
		start := time.Now()
		must(t, db.Read(t.Context(), func(tx *store.Tx) error {
			found, err := tx.List(sluice.KindModel, store.Selection{Tenant: "acme", Search: text, Limit: 51})
			if len(found) != 0 {
				t.Errorf("%d objects hold the text", len(found))
			}
			return err
		}))
		best = min(best, time.Since(start))
	}
	return best
}
