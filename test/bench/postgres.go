package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres is a server of the run's own, which waits for the disk as one in
// production does. nil is a machine without PostgreSQL.
type postgres struct {
	proc      *process
	dir, addr string
	databases int
}

// postgresPatience bounds the wait for the server to answer.
const postgresPatience = 30 * time.Second

// startPostgres starts the newest server that is installed, on a core; without
// one it returns nil.
func startPostgres(core int) (*postgres, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return nil, err
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return nil, nil
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	pg := &postgres{}
	if pg.dir, err = os.MkdirTemp("", "bench-postgres"); err != nil {
		return nil, err
	}
	if who != nil {
		if err := os.Chown(pg.dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, err
		}
	}
	if err := pg.begin(slices.Max(found), who, core); err != nil {
		pg.stop()
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	return pg, nil
}

// unprivileged is whom the server runs as: it refuses to be root's. nil is
// whoever runs this.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (pg *postgres) begin(server string, who *syscall.Credential, core int) (err error) {
	data := filepath.Join(pg.dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = pg.dir, append(os.Environ(), "LC_ALL=C", "HOME="+pg.dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
		return cmd
	}
	out, err := command(filepath.Join(filepath.Dir(server), "initdb"), "-D", data, "-A", "trust", "-U", "sluice", "-E", "UTF8", "--locale=C").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if pg.addr, err = freeAddr(); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(pg.addr)
	if err != nil {
		return err
	}
	cmd := command(server, "-D", data, "-p", port, "-h", host, "-k", pg.dir, "-c", "log_min_messages=fatal")
	if err := pinned(core, cmd.Start); err != nil {
		return err
	}
	pg.proc = &process{cmd: cmd}
	return pg.await()
}

func (pg *postgres) await() (err error) {
	for end := time.Now().Add(postgresPatience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = pg.exec("SELECT 1"); err == nil {
			return nil
		}
	}
	return err
}

// fresh makes an empty database; without a server it is "".
func (pg *postgres) fresh() (dsn string, err error) {
	if pg == nil {
		return "", nil
	}
	pg.databases++
	name := fmt.Sprintf("bench%d", pg.databases)
	return pg.dsn(name), pg.exec("CREATE DATABASE " + name)
}

func (pg *postgres) dsn(database string) string {
	return fmt.Sprintf("postgres://sluice@%s/%s?sslmode=disable", pg.addr, database)
}

func (pg *postgres) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), postgresPatience)
	defer cancel()
	conn, err := pgx.Connect(ctx, pg.dsn("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// stop ends the server and removes what it kept.
func (pg *postgres) stop() {
	if pg == nil {
		return
	}
	if pg.proc != nil {
		pg.proc.cmd.Process.Signal(syscall.SIGINT) // fast: it does not wait for clients
		pg.proc.cmd.Wait()
	}
	os.RemoveAll(pg.dir)
}
