package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// server returns the PostgreSQL server of tests that are about it; they run
// once, not in the second pass of the suite.
func server(t *testing.T) *sluicetest.PostgresServer {
	t.Helper()
	if sluicetest.OnPostgres() || testing.Short() {
		t.Skip("runs in the first pass of the whole suite")
	}
	return sluicetest.Postgres(t)
}

// outcome gathers what writers were told.
type outcome struct {
	mu                    sync.Mutex
	kept, refused, maybes []string
}

// note sorts a write by its answer; only the database may be to blame.
func (o *outcome) note(t *testing.T, name string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.kept = append(o.kept, name)
	case sluice.CodeOf(err) != sluice.CodeDatabase:
		t.Errorf("write %s: %v", name, err)
	case strings.Contains(err.Error(), "unknown"):
		o.maybes = append(o.maybes, name)
	default:
		o.refused = append(o.refused, name)
	}
}

func (o *outcome) acknowledged() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.kept)
}

// Lost if it fails: a write that was acknowledged, the truth of a refusal, or a
// control plane that needs a restart because PostgreSQL had one.
func TestPostgresRestartsDuringWrites(t *testing.T) {
	if sluicetest.OnPostgres() || testing.Short() {
		t.Skip("runs in the first pass of the whole suite")
	}
	pg := sluicetest.PrivatePostgres(t)
	at := store.Config{DSN: pg.DSN("postgres")}
	planes := []*store.DB{open(t, at), open(t, at)}
	ctx, stop := context.WithCancel(t.Context())
	var told outcome
	var writers sync.WaitGroup
	defer func() { stop(); writers.Wait() }() // also when the test fails half-way
	for i := range 4 {
		writers.Go(func() {
			for j := 0; ctx.Err() == nil; j++ {
				m := model(fmt.Sprintf("m-%d-%d", i, j))
				told.note(t, m.Name, add(context.WithoutCancel(ctx), planes[i%2], m))
			}
		})
	}
	progress := func() {
		t.Helper()
		for from, deadline := told.acknowledged(), time.Now().Add(30*time.Second); told.acknowledged() < from+40; {
			if time.Now().After(deadline) {
				t.Fatal("writers do not get on")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	for _, end := range []func(){
		func() { pg.Stop(t, syscall.SIGINT) },
		func() { pg.Stop(t, syscall.SIGQUIT) },
		func() { pg.Crash(t) },
	} {
		progress()
		end()
		pg.Start(t)
	}
	progress()
	stop()
	writers.Wait()
	checkOutcome(t, open(t, at), &told)
}

// checkOutcome compares what is stored with what writers were told.
func checkOutcome(t *testing.T, db *store.DB, told *outcome) {
	t.Helper()
	s, err := db.Snapshot(t.Context())
	must(t, err)
	stored := map[string]bool{}
	for _, m := range s.Models {
		stored[m.Name] = true
	}
	for _, name := range told.kept {
		if !stored[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	for _, name := range told.refused {
		if stored[name] {
			t.Errorf("%s was refused and is there", name)
		}
	}
	if n, err := db.VerifyAudit(t.Context()); err != nil || n != s.Revision || int(n) != len(stored) {
		t.Errorf("%d models, revision %d, %d audit entries, %v", len(stored), s.Revision, n, err)
	}
	t.Logf("%d kept, %d refused, %d unknown", len(told.kept), len(told.refused), len(told.maybes))
}

// Lost if it fails: batches of records, when two processes ship the same ones in
// different orders.
func TestDeadlocksAreRetried(t *testing.T) {
	pg := server(t)
	at := store.Config{DSN: pg.Schema(t) + " deadlock_timeout=5ms"}
	planes := []*store.DB{open(t, at), open(t, at)}
	forth := records(400)
	back := slices.Clone(forth)
	slices.Reverse(back)
	rounds := 0 // until there is one: a statement that takes all rows leaves little time for it
	for ; rounds < 5 || rounds < 60 && !strings.Contains(pg.Log(), "deadlock detected"); rounds++ {
		var wg sync.WaitGroup
		for i := range 4 {
			batch := slices.Clone([][]sluice.Record{forth, back}[i%2])
			for j := range batch {
				batch[j].ID = fmt.Sprintf("%d-%s", rounds, batch[j].ID)
			}
			wg.Go(func() {
				if err := planes[i/2].InsertRecords(t.Context(), batch); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	rows, err := planes[0].Usage(t.Context(), sluice.UsageQuery{})
	must(t, err)
	if want := int64(rounds * len(forth)); rows[0].Requests != want {
		t.Errorf("%d records of %d", rows[0].Requests, want)
	}
	if !strings.Contains(pg.Log(), "deadlock detected") {
		t.Error("no deadlock came about: the test shows nothing")
	}
}

// Lost if it fails: a second control process that starts with the first breaks
// the schema or itself.
func TestProcessesRaceToMigrate(t *testing.T) {
	dsn := server(t).Schema(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), openerEnv+"="+dsn)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "opened\n" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if err := raw(t, store.Config{DSN: dsn}, `CREATE UNIQUE INDEX ON goose_db_version (version_id)`); err != nil {
		t.Errorf("a migration ran twice: %v", err)
	}
}

// openOnce is what the racing processes do.
func openOnce(dsn string) {
	db, err := store.Open(context.Background(), store.Config{DSN: dsn})
	if err == nil {
		err = errors.Join(add(context.Background(), db, model(fmt.Sprint(os.Getpid()))), db.Close())
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("opened")
}

// Lost if it fails: an operator cannot tell what is wrong with the DSN, or reads
// the password in a log.
func TestPostgresFaultsAreClear(t *testing.T) {
	pg := server(t)
	const secret = "hunter2-s3cret"
	pg.Exec(t, `CREATE ROLE guarded; CREATE ROLE clerk LOGIN PASSWORD '`+secret+`' IN ROLE guarded`)
	address := fmt.Sprintf("127.0.0.1:%d", pg.Port())
	other := strings.Replace(pg.DSN("postgres"), "user=sluice", "user=clerk password="+secret, 1)
	for what, c := range map[string]struct {
		dsn, says string
		code      sluice.Code
	}{
		"refused":       {"postgres://clerk:" + secret + "@127.0.0.1:1/x", "nobody answers at this address", sluice.CodeDatabase},
		"no such host":  {"postgres://clerk:" + secret + "@db.invalid/x?sslmode=disable", "cannot be resolved", sluice.CodeDatabase},
		"password":      {"postgres://clerk:" + secret + "wrong@" + address + "/postgres", "user name or password are wrong", sluice.CodeDatabase},
		"no tls":        {"postgres://clerk:" + secret + "@" + address + "/postgres?sslmode=require", "sslmode", sluice.CodeDatabase},
		"no database":   {"postgres://sluice:" + secret + "@" + address + "/nowhere", "create the database", sluice.CodeDatabase},
		"no schema":     {pg.DSN("postgres") + " search_path=nowhere", "create the schema", sluice.CodeDatabase},
		"no rights":     {other, "USAGE and CREATE", sluice.CodeDatabase},
		"read-only":     {pg.Schema(t) + " default_transaction_read_only=on password=" + secret, "names a standby", sluice.CodeDatabase},
		"malformed URL": {"postgres://clerk:" + secret + "@[::1:5432/x", "postgres://user@host", sluice.CodeConfig},
		"malformed":     {"host=db password='" + secret, "host=... user=...", sluice.CodeConfig},
		"bad port":      {"host=db port=many password=" + secret, "host=... user=...", sluice.CodeConfig},
		"no such file":  {"host=db sslmode=verify-full sslrootcert=/nowhere.pem password=" + secret, "/nowhere.pem", sluice.CodeConfig},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel() // some take seconds
			db, err := store.Open(t.Context(), store.Config{DSN: c.dsn})
			if err == nil {
				db.Close()
			}
			wants(t, err, c.code, what)
			text := fmt.Sprintf("%v %+v %#v %+v", err, err, err, sluice.AsError(err))
			if !strings.Contains(text, c.says) || strings.Contains(text, secret) {
				t.Errorf("says %s", text)
			}
			if e := sluice.AsError(err); c.code == sluice.CodeDatabase && strings.Contains(e.Message, "127.0.0.1") {
				t.Errorf("clients learn the address: %s", e.Message)
			}
		})
	}
}

// Lost if it fails: a process that hangs in the middle of a write stops all
// others for good.
func TestWaitForAnotherProcessIsBounded(t *testing.T) {
	at := store.Config{DSN: server(t).Schema(t), StatementTimeout: 100 * time.Millisecond}
	a, b := open(t, at), open(t, at)
	must(t, a.Write(t.Context(), func(*store.Tx) error {
		err := add(t.Context(), b, model("m"))
		wants(t, err, sluice.CodeDatabase, "a write while another process writes")
		must(t, b.Ping(t.Context())) // readers go on
		return b.InsertRecords(t.Context(), records(3))
	}))
	must(t, add(t.Context(), b, model("m")))
}
