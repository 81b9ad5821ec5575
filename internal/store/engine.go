package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/sluicegate/sluice"
)

// engine is what differs between the databases. Everything else in this package
// is written once for both.
type engine interface {
	// label names the database to operators: never with a password.
	label() string
	// open opens a pool for writing and one for reading.
	open(Config) (writer, readers *sql.DB, err error)

	// schema says how migrations are kept and rendered.
	schema() schema
	// exclusive runs fn while no other process migrates the database.
	exclusive(ctx context.Context, writer *sql.DB, fn func(*sql.DB) error) error

	// options are those of a transaction; nil is the default.
	options(write bool) *sql.TxOptions
	// alone makes a transaction the only one of its kind until it ends.
	alone(*Tx) error
	// unhurried lifts the limits in time from a transaction.
	unhurried(*Tx) error
	// settle says how a transaction ended whose commit failed with err: nil when
	// it was committed all the same.
	settle(ctx context.Context, pool *sql.DB, id string, err error) error

	// patience says how often a transaction runs at most, and how long the first
	// of the pauses between is; they double.
	patience() (tries int, pause time.Duration)
	// transient reports whether err left nothing behind and may be gone when the
	// transaction runs again.
	transient(err error) bool
	// fault says what the driver's error means.
	fault(err error) fault
	// limits bound one statement in time, 0 leaves that to ctx, and say how many
	// parameters one that writes many rows has at best.
	limits() (statement time.Duration, parameters int)
	// shared reports whether it is a server: other processes may use the database
	// at once, and statements take arrays.
	shared() bool
	// now is an expression for the time by the database's clock, in microseconds
	// since 1970 UTC: what several processes agree on.
	now() string
	// keeps are the statements that stay prepared between transactions that write;
	// nil where the driver sees to it.
	keeps() *kept
	// parameters renders n parameters that are used once and in order, from
	// number first on.
	parameters(first, n int) string
}

// schema is how an engine keeps and renders migrations.
type schema struct {
	dialect goose.Dialect
	// companion is the part of a file's name that tells the engine's own
	// statements.
	companion string
	// render adapts portable DDL.
	render func(string) string
}

// engineOf chooses by what the configuration names.
func engineOf(cfg Config) (engine, error) {
	switch {
	case cfg.Path != "" && cfg.DSN != "":
		return nil, sluice.Errorf(sluice.CodeConfig, "the database is either a file or a DSN, not both")
	case cfg.DSN != "":
		return newPostgres(cfg)
	case cfg.Path != "":
		return newSQLite(cfg)
	default:
		return nil, sluice.Errorf(sluice.CodeConfig, "the database needs a path or a DSN")
	}
}
