package sluicetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// storeEnv, when "postgres", makes [StoreDSN] name PostgreSQL databases.
const storeEnv = "SLUICE_TEST_STORE"

// PostgresServer is a PostgreSQL server of its own on a free port of the
// loopback interface, in a temporary folder. It sorts texts as people do
// (en-US), so that a query which relies on the order of bytes is found out.
type PostgresServer struct {
	daemon
	port    int
	schemas atomic.Int64
}

// shared is the server that all tests of a process use. Its keeper stops it
// when the process ends, since no single test's end is the right moment.
var shared struct {
	sync.Mutex
	server *PostgresServer
}

// Postgres returns the server that the tests of this process share. It does not
// wait for the disk. Without PostgreSQL installed the test is skipped, or fails
// with CI=true.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s := newPostgres(t, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
		s.remove = true
		s.Start(t)
		shared.server = s
	}
	return shared.server
}

// PrivatePostgres starts a server for one test, which may stop and start it.
// What it has acknowledged is on the disk.
func PrivatePostgres(t testing.TB) *PostgresServer {
	t.Helper()
	s := newPostgres(t)
	t.Cleanup(func() {
		s.Stop(t, syscall.SIGQUIT)
		os.RemoveAll(s.dir)
	})
	s.Start(t)
	return s
}

func newPostgres(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	bin := postgresBin(t)
	s := &PostgresServer{daemon: daemon{dir: daemonDir(t, "postgres")}, port: freePort(t)}
	data := filepath.Join(s.dir, "data")
	initdb := s.command(t, filepath.Join(bin, "initdb"), "-D", data, "--no-sync", "-A", "trust", "-U", "sluice",
		"-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	// Roles of this group need their password; everybody else is let in.
	hba := "host all +guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o644); err != nil {
		t.Fatal(err)
	}
	s.argv = append([]string{filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", s.dir,
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "timezone=UTC"}, settings...)
	return s
}

// postgresBin finds the newest installed server; Debian keeps it out of PATH.
func postgresBin(t testing.TB) string {
	t.Helper()
	newest, best := "", -1
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	for _, path := range found {
		bin := filepath.Dir(path)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > best {
			newest, best = bin, version
		}
	}
	if newest != "" {
		return newest
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		missing(t, "PostgreSQL")
	}
	return filepath.Dir(path)
}

// Start starts the server, again after [PostgresServer.Stop].
func (s *PostgresServer) Start(t testing.TB) {
	t.Helper()
	s.start(t, func() error { return s.execute("postgres", "SELECT 1") })
}

// Crash kills the server with all its processes and waits until they are gone:
// those that survive their parent for a moment would keep it from starting.
func (s *PostgresServer) Crash(t testing.TB) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.pid, s.pid))
	if err != nil {
		t.Fatal(err)
	}
	s.Stop(t, syscall.SIGKILL)
	for _, child := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(daemonPatience); running(pid); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d of PostgreSQL does not end", pid)
			}
			syscall.Kill(pid, syscall.SIGKILL) // an error says that it has ended
		}
	}
}

// running reports whether a process exists and is not merely unreaped.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

// DSN names a database of the server in key=value form, without a schema.
func (s *PostgresServer) DSN(database string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=sluice dbname=%s sslmode=disable", s.port, database)
}

// Port is the port that the server listens on.
func (s *PostgresServer) Port() int { return s.port }

// Schema makes an empty schema for one test and returns a DSN that uses it.
func (s *PostgresServer) Schema(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", s.schemas.Add(1))
	s.Exec(t, "CREATE SCHEMA "+name)
	return s.DSN("postgres") + " search_path=" + name
}

// Exec runs statements as the server's owner.
func (s *PostgresServer) Exec(t testing.TB, statements string) {
	t.Helper()
	if err := s.execute("postgres", statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// DataFolder is where the server keeps everything.
func (s *PostgresServer) DataFolder() string { return s.dir }

// Log returns what the server logged since its first start.
func (s *PostgresServer) Log() string { return s.log() }

func (s *PostgresServer) execute(database, statements string) error {
	ctx, cancel := context.WithTimeout(context.Background(), daemonPatience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.DSN(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Exec(ctx, statements).Close()
}

// Dump returns everything that a schema made by [PostgresServer.Schema] keeps,
// as text to search for what must not be there.
func Dump(t testing.TB, dsn string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), daemonPatience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, `SELECT schema_to_xml(current_schema(), true, false, '')`).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return results[0].Rows[0][0]
}

// StoreDSN returns what a test's store opens: "" for SQLite, or the DSN of an
// empty PostgreSQL schema in the pass of [AgainOnPostgres].
func StoreDSN(t testing.TB) string {
	t.Helper()
	if !OnPostgres() {
		return ""
	}
	return Postgres(t).Schema(t)
}

// OnPostgres reports whether this is a pass of [AgainOnPostgres].
func OnPostgres() bool { return os.Getenv(storeEnv) == "postgres" }

// AgainOnPostgres runs every other test of the package once more with
// [StoreDSN] naming PostgreSQL: one suite, both databases.
func AgainOnPostgres(t *testing.T) {
	t.Helper()
	if OnPostgres() {
		t.Skip("this is the pass on PostgreSQL")
	}
	if testing.Short() {
		t.Skip("short tests run on SQLite alone")
	}
	postgresBin(t)
	args := []string{"-test.run=.", "-test.skip=^" + t.Name() + "$", "-test.count=1", "-test.timeout=10m"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), storeEnv+"=postgres")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("on PostgreSQL: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
