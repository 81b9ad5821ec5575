package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// writerEnv makes the test binary a writer that a test kills, openerEnv a
// process that only opens a database; see TestMain.
const (
	writerEnv = "SLUICE_STORE_TEST_WRITER"
	openerEnv = "SLUICE_STORE_TEST_OPENER"
)

func TestMain(m *testing.M) {
	if at := os.Getenv(writerEnv); at != "" {
		writeForever(at)
		return
	}
	if dsn := os.Getenv(openerEnv); dsn != "" {
		openOnce(dsn)
		return
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err error, code sluice.Code, what string) {
	t.Helper()
	if sluice.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func open(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "sluice ?#%.db") }

// place is where a test keeps its database: a file, or in the pass on
// PostgreSQL a schema.
func place(t *testing.T) store.Config {
	t.Helper()
	if dsn := sluicetest.StoreDSN(t); dsn != "" {
		return store.Config{DSN: dsn}
	}
	return store.Config{Path: file(t)}
}

// Lost if it fails: everything of this package, for those who run PostgreSQL.
func TestAgainOnPostgres(t *testing.T) { sluicetest.AgainOnPostgres(t) }

// onlySQLite skips a test of what only a file has.
func onlySQLite(t *testing.T) {
	t.Helper()
	if sluicetest.OnPostgres() {
		t.Skip("about files")
	}
}

func model(name string) *sluice.Model {
	m := &sluice.Model{}
	m.Tenant, m.Name = "platform", name
	return m
}

// add inserts a model with an audit entry and a revision, as control does.
func add(ctx context.Context, db *store.DB, m *sluice.Model) error {
	return db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.Insert(m); err != nil {
			return err
		}
		if err := tx.Append(&sluice.AuditEntry{Tenant: m.Tenant, Actor: "system", Action: "create", Kind: m.Kind(), Object: m.Name, ObjectID: m.ID}); err != nil {
			return err
		}
		_, err := tx.Changed(m)
		return err
	})
}

// Lost if it fails: everything that was kept, by a restart.
func TestReopen(t *testing.T) {
	at := place(t)
	db, err := store.Open(t.Context(), at)
	must(t, err)
	must(t, add(t.Context(), db, model("a")))
	must(t, db.Close())
	db = open(t, at)
	s, err := db.Snapshot(t.Context())
	must(t, err)
	if s.Revision != 1 || len(s.Models) != 1 || s.Models[0].Name != "a" || s.Models[0].ID != 1 || s.Models[0].CreatedAt.IsZero() {
		t.Errorf("snapshot %+v", s)
	}
}

// Lost if it fails: other accounts of the machine cannot read the database.
func TestFilesArePrivate(t *testing.T) {
	onlySQLite(t)
	path := file(t)
	must(t, add(t.Context(), open(t, store.Config{Path: path}), model("a")))
	for _, f := range []string{path, path + "-wal"} {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read %s: %v", f, err)
		}
	}
}

// Lost if it fails: an operator learns what is wrong with the file.
func TestFaultsNameTheFile(t *testing.T) {
	onlySQLite(t)
	ctx := t.Context()
	named := func(err error, path, advice string) {
		t.Helper()
		wants(t, err, sluice.CodeDatabase, advice)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), advice) {
			t.Errorf("%q is not said of %s: %v", advice, path, err)
		}
		if e := sluice.AsError(err); strings.Contains(e.Message, path) {
			t.Errorf("clients learn the path: %s", e.Message)
		}
	}
	t.Run("locked", func(t *testing.T) {
		path := file(t)
		db := open(t, store.Config{Path: path, BusyTimeout: time.Millisecond})
		release := lock(t, db, path)
		named(add(ctx, db, model("a")), path, "another process holds a lock")
		must(t, db.Ping(ctx)) // readers go on
		release()
		must(t, add(ctx, db, model("a")))
	})
	t.Run("full", func(t *testing.T) {
		path := file(t)
		db := open(t, store.Config{Path: path, MaxBytes: 512 << 10})
		var err error
		last := 0
		for err == nil {
			last++
			m := model(fmt.Sprintf("m%d", last))
			m.Description = strings.Repeat("x", 500)
			m.Operations = []string{strings.Repeat("y", 8000)}
			err = add(ctx, db, m)
		}
		named(err, path, "is full")
		s, err := db.Snapshot(ctx)
		must(t, err)
		if len(s.Models) != last-1 || s.Revision != uint64(last-1) {
			t.Errorf("%d models and revision %d after %d writes", len(s.Models), s.Revision, last-1)
		}
	})
	t.Run("no database", func(t *testing.T) {
		path := file(t)
		must(t, os.WriteFile(path, []byte(strings.Repeat("this is no database ", 500)), 0o600))
		_, err := store.Open(ctx, store.Config{Path: path})
		named(err, path, "restore a backup")
	})
	t.Run("damaged", func(t *testing.T) {
		path := file(t)
		db, err := store.Open(ctx, store.Config{Path: path})
		must(t, err)
		must(t, add(ctx, db, model("a")))
		must(t, db.Close())
		b, err := os.ReadFile(path)
		must(t, err)
		for i := 4096; i < len(b); i++ {
			b[i] = 0xa5
		}
		must(t, os.WriteFile(path, b, 0o600))
		db, err = store.Open(ctx, store.Config{Path: path})
		if err == nil {
			err = errors.Join(add(ctx, db, model("b")), db.Close())
		}
		named(err, path, "restore a backup")
	})
	t.Run("no folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing", "sluice.db")
		_, err := store.Open(ctx, store.Config{Path: path})
		named(err, path, "check the folder")
	})
}

// lock takes the write lock as another process would.
func lock(t *testing.T, _ *store.DB, path string) (release func()) {
	t.Helper()
	other, err := sql.Open("sqlite", path2dsn(path))
	must(t, err)
	tx, err := other.Begin()
	must(t, err)
	return func() { must(t, errors.Join(tx.Rollback(), other.Close())) }
}

func path2dsn(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?_txlock=immediate"
}

// raw runs statements as somebody with access to the database would.
func raw(t *testing.T, at store.Config, statements ...string) error {
	t.Helper()
	driver, dsn := "pgx", at.DSN
	if at.Path != "" {
		driver, dsn = "sqlite", path2dsn(at.Path)
	}
	other, err := sql.Open(driver, dsn)
	must(t, err)
	defer other.Close()
	for _, s := range statements {
		if _, err := other.Exec(s); err != nil {
			return err
		}
	}
	return nil
}

// Lost if it fails: an old binary writes into a newer schema.
func TestNewerSchemaIsLeftAlone(t *testing.T) {
	at := place(t)
	db, err := store.Open(t.Context(), at)
	must(t, err)
	must(t, db.Close())
	must(t, raw(t, at, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`))
	_, err = store.Open(t.Context(), at)
	wants(t, err, sluice.CodeSchemaNewer, "a newer schema")
}

// Lost if it fails: the audit log can be rewritten unnoticed.
func TestAuditLogShowsTampering(t *testing.T) {
	for what, tamper := range map[string]string{
		"changed":  `UPDATE audit SET actor = 'somebody else' WHERE seq = 3`,
		"removed":  `DELETE FROM audit WHERE seq = 3`,
		"rehashed": `UPDATE audit SET hash = prev_hash WHERE seq = 3`,
	} {
		t.Run(what, func(t *testing.T) {
			at := place(t)
			db := open(t, at)
			for i := range 5 {
				must(t, add(t.Context(), db, model(fmt.Sprintf("m%d", i))))
			}
			n, err := db.VerifyAudit(t.Context())
			if err != nil || n != 5 {
				t.Fatalf("an honest log: %d, %v", n, err)
			}
			if err := raw(t, at, tamper); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("the log lets itself be changed: %v", err)
			}
			on := ""
			if sluicetest.OnPostgres() {
				on = " ON audit"
			}
			must(t, raw(t, at, `DROP TRIGGER audit_keeps_rows`+on, `DROP TRIGGER audit_keeps_content`+on, tamper))
			n, err = db.VerifyAudit(t.Context())
			wants(t, err, sluice.CodeDatabase, "a changed log")
			if n != 2 || !strings.Contains(err.Error(), "entry 3") {
				t.Errorf("%d entries hold: %v", n, err)
			}
		})
	}
}

// Lost if it fails: half of a change is visible, or numbers are given twice.
func TestFailedTransactionLeavesNothing(t *testing.T) {
	db := open(t, place(t))
	boom := errors.New("boom")
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		m := model("a")
		must(t, tx.Insert(m))
		_, err := tx.Changed(m)
		must(t, err)
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	must(t, add(t.Context(), db, model("b")))
	s, err := db.Snapshot(t.Context())
	must(t, err)
	if len(s.Models) != 1 || s.Revision != 1 {
		t.Errorf("snapshot %+v", s)
	}
	wants(t, add(t.Context(), db, model("b")), sluice.CodeConflict, "a taken name")
}

// Lost if it fails: concurrent writers fail where they should wait.
func TestWritersWaitForEachOther(t *testing.T) {
	at := place(t)
	a, b := open(t, at), open(t, at)
	var wg sync.WaitGroup
	written, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		watchRevisions(t, a, written)
	}()
	for i := range 8 {
		db := []*store.DB{a, b}[i%2]
		wg.Go(func() {
			for j := range 10 {
				if err := add(t.Context(), db, model(fmt.Sprintf("m%d-%d", i, j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(written)
	<-watched
	s, err := a.Snapshot(t.Context())
	must(t, err)
	if len(s.Models) != 80 || s.Revision != 80 {
		t.Errorf("%d models, revision %d", len(s.Models), s.Revision)
	}
	if n, err := a.VerifyAudit(t.Context()); n != 80 || err != nil {
		t.Errorf("audit %d, %v", n, err)
	}
}

// watchRevisions builds snapshots while others write: each revision added one
// model, so a snapshot with fewer missed a lower revision that committed later.
func watchRevisions(t *testing.T, db *store.DB, done <-chan struct{}) {
	for {
		s, err := db.Snapshot(t.Context())
		if err != nil || uint64(len(s.Models)) != s.Revision {
			t.Errorf("a snapshot has %d models in revision %d: %v", len(s.Models), s.Revision, err)
			return
		}
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// Lost if it fails: a write that was acknowledged, or a half-written one shows,
// after a crash.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	at := place(t)
	total := uint64(0)
	for round := range 5 {
		acknowledged := killAfter(t, at, 3+7*round)
		db, err := store.Open(t.Context(), at)
		must(t, err)
		s, err := db.Snapshot(t.Context())
		must(t, err)
		n, err := db.VerifyAudit(t.Context())
		must(t, err)
		if s.Revision != uint64(len(s.Models)) || n != s.Revision {
			t.Errorf("half-written: %d models, revision %d, %d audit entries", len(s.Models), s.Revision, n)
		}
		// At most one write was under way without having been acknowledged.
		if total += uint64(acknowledged); s.Revision < total {
			t.Errorf("round %d: %d writes were acknowledged, %d are there", round, total, s.Revision)
		}
		total = s.Revision
		must(t, db.Close())
	}
}

// killAfter starts a writer, kills it once it acknowledged n writes, and
// returns how many it did.
func killAfter(t *testing.T, at store.Config, n int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	config, err := json.Marshal(map[string]string{"Path": at.Path, "DSN": at.DSN})
	must(t, err)
	cmd.Env = append(os.Environ(), writerEnv+"="+string(config))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	acknowledged := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "ok") {
			t.Fatal(lines.Text())
		}
		if acknowledged++; acknowledged == n {
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the writer was not killed")
	}
	return acknowledged
}

// writeForever adds models and acknowledges each on standard output.
func writeForever(at string) {
	ctx := context.Background()
	var place struct{ Path, DSN string }
	err := json.Unmarshal([]byte(at), &place)
	var db *store.DB
	if err == nil {
		db, err = store.Open(ctx, store.Config{Path: place.Path, DSN: place.DSN})
	}
	for i := 0; err == nil; i++ {
		if err = add(ctx, db, model(fmt.Sprintf("m-%d-%d", os.Getpid(), i))); err == nil {
			fmt.Println("ok", i)
		}
	}
	fmt.Println("failed:", err)
}
