package store_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

func asked(request string) store.Answer {
	return store.Answer{Scope: "key/17", Key: "k", BodyHash: "h", Request: request, Deadline: noon.Add(time.Minute), ExpiresAt: noon.Add(time.Hour)}
}

// plenty is more than any test keeps.
var plenty = store.AnswerLimits{Keys: 1 << 30, Bytes: 1 << 40}

// TestOneRequestAnswers has a hundred requests begin under one key. Lost if it
// fails: a request that a client repeated is carried out twice.
func TestOneRequestAnswers(t *testing.T) {
	at := place(t)
	now := noon
	at.Clock = func() time.Time { return now }
	db := open(t, at)
	ctx := t.Context()
	var mu sync.Mutex
	var winner string
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			id := requestOf(i).String()
			was, first, err := db.BeginAnswer(ctx, asked(id), plenty)
			if err != nil || was.Done || was.BodyHash != "h" || !was.Deadline.Equal(noon.Add(time.Minute)) || first != (was.Request == id) {
				t.Errorf("%+v, %v, %v", was, first, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if winner == "" {
				winner = was.Request
			}
			if was.Request != winner {
				t.Errorf("%s and %s are both carried out", was.Request, winner)
			}
		})
	}
	wg.Wait()
	if _, first, err := db.BeginAnswer(ctx, asked(winner), plenty); !first || err != nil {
		t.Errorf("the request itself, again: %v, %v", first, err)
	}
	done := asked(winner)
	done.Status, done.Head, done.Body = 200, "text/plain", []byte{0, 0xff, 'x'}
	stranger := done
	stranger.Request = "another"
	must(t, db.FinishAnswer(ctx, stranger, plenty))
	must(t, db.DropAnswer(ctx, "key/17", "k", "another"))
	must(t, db.FinishAnswer(ctx, done, plenty))
	done.Status = 500
	must(t, db.FinishAnswer(ctx, done, plenty))
	must(t, db.DropAnswer(ctx, "key/17", "k", winner))
	was, first, err := db.BeginAnswer(ctx, asked("later"), plenty)
	if err != nil || first || !was.Done || was.Status != 200 || was.Head != "text/plain" || !bytes.Equal(was.Body, done.Body) || was.Request != winner {
		t.Errorf("%+v, %v, %v", was, first, err)
	}
	now = noon.Add(2 * time.Hour)
	if _, first, err := db.BeginAnswer(ctx, asked("later"), plenty); !first || err != nil {
		t.Errorf("after it expired: %v, %v", first, err)
	}
	if n, err := db.ExpireAnswers(ctx, 10); n != 1 || err != nil { // it expired when it was asked for
		t.Errorf("%d expired: %v", n, err)
	}
}

// Lost if it fails: a large answer fills the database, or a client whose request
// was refused cannot try again.
func TestAnswersThatAreNotKept(t *testing.T) {
	at := place(t)
	at.Clock = func() time.Time { return noon }
	db := open(t, at)
	ctx := context.WithoutCancel(t.Context())
	for name, c := range map[string]struct {
		body []byte
		kept bool
	}{"empty": {[]byte{}, true}, "longest": {make([]byte, store.MaxAnswer), true}, "too long": {make([]byte, store.MaxAnswer+1), false}, "none": {nil, false}} {
		a := asked("r")
		a.Key = name
		_, _, err := db.BeginAnswer(ctx, a, plenty)
		must(t, err)
		a.Body = c.body
		must(t, db.FinishAnswer(ctx, a, plenty))
		a.Request = "s"
		was, _, err := db.BeginAnswer(ctx, a, plenty)
		if err != nil || !was.Done || (was.Body != nil) != c.kept || c.kept && !bytes.Equal(was.Body, c.body) {
			t.Errorf("%s: %d bytes, %v", name, len(was.Body), err)
		}
	}
	_, _, err := db.BeginAnswer(ctx, asked("r"), plenty)
	must(t, err)
	must(t, db.DropAnswer(ctx, "key/17", "k", "r"))
	if _, first, err := db.BeginAnswer(ctx, asked("s"), plenty); !first || err != nil {
		t.Errorf("after it was dropped: %v, %v", first, err)
	}
}

// Lost if it fails: what has expired or was dropped still counts, so that a caller
// is refused for ever, or what came counts for nothing.
func TestAnswersAreCounted(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	most := store.AnswerLimits{Keys: 2, Bytes: 10}
	begin := func(key string, expires time.Time) error {
		_, _, err := db.BeginAnswer(ctx, store.Answer{Scope: "s", Key: key, BodyHash: "h", Request: "r" + key, ExpiresAt: expires}, most)
		return err
	}
	finish := func(key string, expires time.Time) {
		must(t, db.FinishAnswer(ctx, store.Answer{Scope: "s", Key: key, Request: "r" + key, Body: []byte("sixsix"), ExpiresAt: expires}, most))
	}
	past, later := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for range 3 { // each round ends as it began
		must(t, begin("a", later))
		must(t, begin("b", later))
		if err := begin("c", later); sluice.CodeOf(err) != sluice.CodeRequestRate {
			t.Errorf("a third key: %v", err)
		}
		must(t, db.DropAnswer(ctx, "s", "b", "rb"))
		must(t, begin("c", later))
		finish("a", past)
		finish("c", past)
		if was, _, err := db.BeginAnswer(ctx, store.Answer{Scope: "s", Key: "c", BodyHash: "h", Request: "again", ExpiresAt: later}, most); err != nil || string(was.Body) != "" {
			t.Errorf("an expired one: %+v, %v", was, err)
		}
		must(t, db.DropAnswer(ctx, "s", "c", "again"))
		if n, err := db.ExpireAnswers(ctx, 10); n != 1 || err != nil {
			t.Errorf("%d expired, %v", n, err)
		}
	}
	must(t, begin("a", later))
	must(t, begin("b", later))
	finish("a", later)
	finish("b", later)
	for key, kept := range map[string]string{"a": "sixsix", "b": ""} {
		if was, known, err := db.FindAnswer(ctx, "s", key); !known || err != nil || !was.Done || string(was.Body) != kept {
			t.Errorf("%s: %+v, %v", key, was, err)
		}
	}
	if _, known, err := db.FindAnswer(ctx, "s", "nothing"); known || err != nil {
		t.Errorf("one that is not there: %v, %v", known, err)
	}
}

// Lost if it fails: an operator hears of something twice, never, or out of order.
func TestEvents(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	must(t, db.AddEvents(ctx, sluice.Event{ID: "a", Kind: "x", Subject: "s", Data: []byte(`{"n":1}`)}, sluice.Event{ID: "b", Kind: "y", Data: []byte(`{}`)}, sluice.Event{ID: "a", Kind: "x", Data: []byte(`{}`)}))
	must(t, db.AddEvents(ctx, sluice.Event{ID: "b", Kind: "y", Data: []byte(`{}`)}, sluice.Event{ID: "c", Kind: "x", Data: []byte(`{}`)}))
	for name, c := range map[string]struct {
		q    store.EventQuery
		want string
	}{
		"all":    {store.EventQuery{}, "abc"},
		"behind": {store.EventQuery{After: 1}, "bc"},
		"kind":   {store.EventQuery{Kind: "x"}, "ac"},
		"newest": {store.EventQuery{Newest: true, Limit: 2}, "cb"},
		"before": {store.EventQuery{Newest: true, After: 2}, "a"},
	} {
		list, err := db.Events(ctx, c.q)
		must(t, err)
		got := ""
		for _, e := range list {
			got += e.ID
			if e.ID == "a" && (e.Seq != 1 || e.Subject != "s" || string(e.Data) != `{"n":1}` || e.At.IsZero()) {
				t.Errorf("%+v", e)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestTenantsOfSchemaThree upgrades a database with a tenant of before there were
// balances, and one whose terms are known. Lost if it fails: an upgrade stops
// everybody's requests, or gives unlimited credit away.
func TestTenantsOfSchemaThree(t *testing.T) {
	at := place(t)
	db, err := store.Open(t.Context(), at)
	must(t, err)
	must(t, db.Close())
	row := func(id, name, doc string) string {
		return `INSERT INTO "tenants" (id, tenant, name, version, created_at, updated_at, search, doc, status) VALUES (` + id + `, '` + name + `', '` + name + `', 3, 1, 1, '', '` + doc + `', 'active')`
	}
	must(t, raw(t, at,
		row("1", "old", `{"name":"old","description":"a \"quoted\" \u00e9","status":"active"}`),
		row("2", "new", `{"name":"new","status":"active","spending":"prepaid","durability":"strict"}`),
		`DROP TABLE payments`, `DROP TABLE redemption_codes`, `DROP TABLE accounts`, `DROP TABLE transfers`, `DROP TABLE holds`, `DROP TABLE journals`, `DROP TABLE ledger_owner`, `DROP TABLE events`, `DROP TABLE answers`, `DROP TABLE answer_totals`,
		`ALTER TABLE records DROP COLUMN image_input`, `ALTER TABLE records DROP COLUMN images`, `ALTER TABLE records DROP COLUMN audio_seconds`,
		`ALTER TABLE records DROP COLUMN characters`, `ALTER TABLE records DROP COLUMN search_units`,
		`DELETE FROM goose_db_version WHERE version_id > 3`))
	db = open(t, at)
	must(t, db.Read(t.Context(), func(tx *store.Tx) error {
		o, err := tx.ByName(sluice.KindTenant, "old", "old")
		must(t, err)
		old := o.(*sluice.Tenant)
		if old.Spending != sluice.SpendingPostpaid || !old.UnlimitedCredit || old.Durability != sluice.DurabilityFast || old.Floor("USD") != sluice.NoFloor || old.Description != `a "quoted" é` || old.Version != 3 || old.Status != sluice.StatusActive {
			t.Errorf("old: %+v", old)
		}
		must(t, old.Validate())
		o, err = tx.ByName(sluice.KindTenant, "new", "new")
		must(t, err)
		if fresh := o.(*sluice.Tenant); fresh.Spending != sluice.SpendingPrepaid || fresh.UnlimitedCredit || fresh.Durability != sluice.DurabilityStrict {
			t.Errorf("new: %+v", fresh)
		}
		return nil
	}))
}
