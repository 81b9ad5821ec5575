package store_test

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// TestOneClaimsAnExpiredKey has requests of two processes meet an answer that has
// expired and is still there, and is swept or not while they look at it. Lost if it
// fails: a request is carried out twice, or what is counted of its caller drifts.
func TestOneClaimsAnExpiredKey(t *testing.T) {
	for name, meanwhile := range map[string][]string{
		"left":  nil,
		"swept": {`DELETE FROM answers`, `DELETE FROM answer_totals`},
	} {
		t.Run(name, func(t *testing.T) {
			at := place(t)
			now := noon
			at.Clock = func() time.Time { return now }
			processes := []*store.DB{open(t, at)}
			if sluicetest.OnPostgres() { // a file has one process
				processes = append(processes, open(t, at))
			}
			old := asked("old")
			_, _, err := processes[0].BeginAnswer(t.Context(), old, plenty)
			must(t, err)
			old.Body = []byte("kept")
			must(t, processes[0].FinishAnswer(t.Context(), old, plenty))
			now = noon.Add(2 * time.Hour)

			const rivals = 6
			meet := func() {}
			if sluicetest.OnPostgres() {
				meet = holdAnswers(t, at, rivals, meanwhile)
			}
			var first atomic.Int64
			var running sync.WaitGroup
			for i := range rivals {
				running.Go(func() {
					a := asked(requestOf(i).String())
					a.Deadline, a.ExpiresAt = now.Add(time.Minute), now.Add(time.Hour)
					_, won, err := processes[i%len(processes)].BeginAnswer(t.Context(), a, plenty)
					if err != nil {
						t.Error(err)
					}
					if won {
						first.Add(1)
					}
				})
			}
			meet()
			running.Wait()
			if n := first.Load(); n != 1 {
				t.Errorf("%d claimed the key", n)
			}
			if keys, bytes := counted(t, at, old.Scope); keys != 1 || bytes != 0 {
				t.Errorf("%d keys and %d bytes are counted", keys, bytes)
			}
		})
	}
}

// TestKeyThatChangesHands: a claim that never finds the key at rest must end, and
// must not let its request run.
func TestKeyThatChangesHands(t *testing.T) {
	at := place(t)
	now := noon
	at.Clock = func() time.Time { return now }
	db := open(t, at)
	_, _, err := db.BeginAnswer(t.Context(), asked("old"), plenty)
	must(t, err)
	if !sluicetest.OnPostgres() { // whose claims come one by one
		must(t, raw(t, at, `CREATE TRIGGER changing BEFORE UPDATE ON answers BEGIN SELECT RAISE(IGNORE); END`))
	} else {
		must(t, raw(t, at, `CREATE FUNCTION changing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
			`CREATE TRIGGER changing BEFORE UPDATE ON answers FOR EACH ROW EXECUTE FUNCTION changing()`))
	}
	now = noon.Add(2 * time.Hour)
	if _, first, err := db.BeginAnswer(t.Context(), asked("new"), plenty); first || sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("%v, %v", first, err)
	}
}

// holdAnswers locks what is kept, as somebody with access to the database would,
// until meet, which waits for so many to have read it and runs statements.
func holdAnswers(t *testing.T, at store.Config, waiting int, statements []string) (meet func()) {
	t.Helper()
	other, err := sql.Open("pgx", at.DSN)
	must(t, err)
	t.Cleanup(func() { other.Close() })
	tx, err := other.Begin()
	must(t, err)
	_, err = tx.Exec(`SELECT 1 FROM answers FOR UPDATE`)
	must(t, err)
	return func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for n := 0; n < waiting; {
			must(t, other.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE answers %'`).Scan(&n))
		}
		for _, s := range statements {
			_, err := tx.Exec(s)
			must(t, err)
		}
		must(t, tx.Commit())
	}
}

// counted is what is counted of a scope.
func counted(t *testing.T, at store.Config, scope string) (keys, bytes int64) {
	t.Helper()
	driver, dsn := "pgx", at.DSN
	if at.Path != "" {
		driver, dsn = "sqlite", path2dsn(at.Path)
	}
	other, err := sql.Open(driver, dsn)
	must(t, err)
	defer other.Close()
	must(t, other.QueryRow(`SELECT keys, bytes FROM answer_totals WHERE scope = '`+scope+`'`).Scan(&keys, &bytes))
	return keys, bytes
}
