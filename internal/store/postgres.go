package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/sluicegate/sluice"
)

const (
	defaultWriters   = 4
	defaultStatement = 30 * time.Second
	// lockWait bounds the wait for another process's turn to write, idleWait how
	// long a process that hangs in a transaction may hold it.
	lockWait = 10 * time.Second
	idleWait = 15 * time.Second
	// migrateWait bounds the wait for another process's migrations.
	migrateWait = 5 * time.Minute
	// connectWait is the default of the DSN's connect_timeout.
	connectWait = 5 * time.Second
	// limitSlack is what the network may add to a statement before the client
	// gives up on a server that does not end it.
	limitSlack  = 5 * time.Second
	idleLife    = 5 * time.Minute
	connectLife = 30 * time.Minute

	// postgresParameters gives a statement of 50 records.
	postgresParameters = 1050

	postgresTries = 6
	postgresPause = 50 * time.Millisecond
	settleTries   = 8
)

// postgresServer is the engine of a database that several processes share.
type postgresServer struct {
	config    *pgx.ConnConfig
	statement time.Duration
}

func newPostgres(cfg Config) (engine, error) {
	config, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, badDSN(err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWait
	}
	return &postgresServer{config: config, statement: cmp.Or(cfg.StatementTimeout, defaultStatement)}, nil
}

// badDSN says what a DSN should look like. The parser's own text quotes the DSN
// and with it, when it is malformed, perhaps the password; only the name of a
// missing file is taken from it.
func badDSN(err error) error {
	const form = "use postgres://user@host:5432/database or host=... user=... dbname=..., each with the password"
	var file *fs.PathError
	if errors.As(err, &file) {
		return sluice.Errorf(sluice.CodeConfig, "the PostgreSQL DSN names a file that cannot be read: %v", file)
	}
	return sluice.Errorf(sluice.CodeConfig, "the PostgreSQL DSN is malformed; %s", form)
}

// label is the address without the password.
func (p *postgresServer) label() string {
	c := p.config
	return "postgres://" + c.User + "@" + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

func (p *postgresServer) open(cfg Config) (writer, readers *sql.DB, err error) {
	settings := map[string]string{
		"application_name":                    "sluice",
		"statement_timeout":                   millis(p.statement),
		"lock_timeout":                        millis(lockWait),
		"idle_in_transaction_session_timeout": millis(idleWait),
	}
	return p.pool(settings, cmp.Or(cfg.Writers, defaultWriters)), p.pool(settings, cmp.Or(cfg.Readers, defaultReaders)), nil
}

// pool makes a pool whose sessions have the settings, unless the DSN has others.
func (p *postgresServer) pool(settings map[string]string, size int) *sql.DB {
	config := p.config.Copy()
	for name, value := range settings {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	pool.SetConnMaxIdleTime(idleLife)
	pool.SetConnMaxLifetime(connectLife)
	return pool
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (p *postgresServer) schema() schema {
	return schema{dialect: goose.DialectPostgres, companion: "postgres", render: postgresTypes}
}

var columnType = regexp.MustCompile(`\b(TEXT|INTEGER|BLOB)\b`)

// postgresTypes gives columns the types that mean the same. Texts sort by their
// bytes, as they do in SQLite and whatever the database's collation: lists,
// cursors and [Copy] rely on one order, and an upgrade of the server's locales
// must not break indexes.
func postgresTypes(ddl string) string {
	return columnType.ReplaceAllStringFunc(ddl, func(name string) string {
		return map[string]string{"TEXT": `TEXT COLLATE "C"`, "INTEGER": "BIGINT", "BLOB": "BYTEA"}[name]
	})
}

// advisory renders the key of an advisory lock. Installations that share a
// database in different schemas do not share locks.
func advisory(purpose string) string {
	return `hashtextextended('sluice ` + purpose + ` ' || current_schema(), 0)`
}

// exclusive holds a session's lock while fn runs on a pool without time limits:
// a migration of a large table takes as long as it takes. The lock ends with
// the connection.
func (p *postgresServer) exclusive(ctx context.Context, _ *sql.DB, fn func(*sql.DB) error) error {
	pool := p.pool(map[string]string{"application_name": "sluice migrate", "statement_timeout": "0", "lock_timeout": millis(migrateWait)}, 2)
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var schema sql.NullString
	if err := conn.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return err
	}
	if !schema.Valid {
		return errNoSchema
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(`+advisory("migrate")+`)`); err != nil {
		return fmt.Errorf("wait for another process's migrations: %w", err)
	}
	return fn(pool)
}

// errNoSchema is the error of a search_path that leads nowhere.
var errNoSchema = errors.New("no schema in search_path exists")

// options give a reader one state throughout. A writer reads what is committed
// when it reads: after [postgresServer.alone] nobody else changes it.
func (p *postgresServer) options(write bool) *sql.TxOptions {
	if write {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// serverStart tells one life of the server from the next. A crash may lose a
// transaction whose id the next life gives to another one.
const serverStart = `CAST(extract(epoch FROM pg_postmaster_start_time()) AS TEXT)`

// alone queues behind the changes of all processes and notes the transaction's
// id, and the server's life that gave it, for [postgresServer.settle].
func (p *postgresServer) alone(tx *Tx) error {
	var ignored any
	return tx.row(`SELECT pg_advisory_xact_lock(`+advisory("write")+`)::text, pg_current_xact_id()::text || ' ' || `+serverStart, nil, &ignored, &tx.id)
}

// unhurried is for maintenance: the other side of a [Copy] may take its time.
func (p *postgresServer) unhurried(tx *Tx) error {
	tx.limit = 0
	for _, name := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		if _, err := tx.exec(`SET LOCAL ` + name + ` = 0`); err != nil {
			return err
		}
	}
	return nil
}

func (p *postgresServer) shared() bool { return true }

// keeps is nil: each connection keeps its statements.
func (p *postgresServer) keeps() *kept { return nil }

func (p *postgresServer) now() string {
	return `CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`
}

func (p *postgresServer) patience() (tries int, pause time.Duration) {
	return postgresTries, postgresPause
}

// limits save round trips; more than 65,535 parameters are impossible.
func (p *postgresServer) limits() (statement time.Duration, parameters int) {
	return p.statement + limitSlack, postgresParameters
}

// parameters are numbered.
func (p *postgresServer) parameters(first, n int) string { return placeholders(first, n) }

// errUnknown is the error of a commit that was lost with its connection.
var errUnknown = errors.New("the outcome of the transaction is unknown")

// settle asks the server, as soon as it answers again, how a transaction ended
// whose commit got no answer. Without this a lost connection would make a
// repetition conflict with itself, or a client believe in a failure that was
// none.
func (p *postgresServer) settle(ctx context.Context, pool *sql.DB, id string, lost error) error {
	if isRefusal(lost) {
		return lost
	}
	if id == "" {
		return unsettled{lost} // adding is idempotent: it may run again
	}
	ctx = context.WithoutCancel(ctx)
	for try := range settleTries {
		status, err := p.status(ctx, pool, id)
		switch {
		case err == nil && status == "committed":
			return nil
		case err == nil && status == "aborted":
			return unsettled{lost}
		case err == nil && status == "":
			return final{fmt.Errorf("%w: %w", errUnknown, lost)}
		}
		time.Sleep(postgresPause << try)
	}
	return final{fmt.Errorf("%w: %w", errUnknown, lost)}
}

// status returns "committed", "aborted", "in progress", or "" when the server
// has forgotten the transaction, or may have given its id to another.
func (p *postgresServer) status(ctx context.Context, pool *sql.DB, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	var status sql.NullString
	var sameLife bool
	err := pool.QueryRowContext(ctx, `SELECT pg_xact_status(CAST(split_part(CAST($1 AS TEXT), ' ', 1) AS xid8)),
		split_part(CAST($1 AS TEXT), ' ', 2) = `+serverStart, id).Scan(&status, &sameLife)
	if status.String == "committed" && !sameLife {
		return "", err
	}
	return status.String, err
}

// unsettled is a commit that left nothing behind, or nothing that matters when
// the transaction runs again.
type unsettled struct{ error }

func (u unsettled) Unwrap() error { return u.error }
