package sluicetest

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// PostgresStandby starts a server that copies another one all the time, and
// that may be read. With synchronous, nothing is acknowledged from then on that
// the copy does not have on its disk.
func PostgresStandby(t testing.TB, of *PostgresServer, synchronous bool) *PostgresServer {
	t.Helper()
	bin := postgresBin(t)
	of.allowCopies(t)
	s := &PostgresServer{daemon: daemon{dir: daemonDir(t, "standby")}, port: freePort(t)}
	data := filepath.Join(s.dir, "data")
	copying := s.command(t, filepath.Join(bin, "pg_basebackup"), "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(of.port),
		"-U", "sluice", "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if out, err := copying.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	s.argv = []string{filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", s.dir,
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "timezone=UTC",
		"-c", "wal_retrieve_retry_interval=100ms"} // or a promotion waits 5 s for a look at the archive
	t.Cleanup(func() {
		s.Stop(t, syscall.SIGQUIT)
		os.RemoveAll(s.dir)
	})
	s.Start(t)
	if synchronous {
		of.Exec(t, "ALTER SYSTEM SET synchronous_standby_names = '*'")
		of.Exec(t, "SELECT pg_reload_conf()")
		of.awaitCopy(t)
	}
	return s
}

// allowCopies lets in who copies.
func (s *PostgresServer) allowCopies(t testing.TB) {
	t.Helper()
	rules, err := os.OpenFile(filepath.Join(s.dir, "data", "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rules.WriteString("host replication all 127.0.0.1/32 trust\n")
	if err == nil {
		err = rules.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "SELECT pg_reload_conf()")
}

// awaitCopy waits until commits wait for the copy.
func (s *PostgresServer) awaitCopy(t testing.TB) {
	t.Helper()
	const synchronous = "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync') THEN RAISE 'not yet'; END IF; END $$"
	deadline := time.Now().Add(daemonPatience)
	for err := s.execute("postgres", synchronous); err != nil; err = s.execute("postgres", synchronous) {
		if time.Now().After(deadline) {
			t.Fatalf("the copy is not synchronous: %v\n%s", err, s.log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Promote ends the copying and lets the server take writes.
func (s *PostgresServer) Promote(t testing.TB) {
	t.Helper()
	s.Exec(t, "SELECT pg_promote()")
}
