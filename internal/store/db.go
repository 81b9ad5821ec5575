package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// endLimit bounds the begin, the commit and the rollback of a transaction: what
// ctx must not cut short.
const endLimit = 15 * time.Second

// Config configures [Open].
type Config struct {
	// Path is the SQLite file, whose folder must exist. Either Path or DSN is
	// required.
	Path string
	// DSN names a PostgreSQL database, as key=value pairs or as a postgres://
	// URL. Parameters that libpq and pgx know are understood; search_path
	// chooses a schema, which must exist.
	DSN string
	// BusyTimeout is how long a statement waits for another process's lock on
	// the file; 0 means 2 s. A transaction waits at most three times as long.
	BusyTimeout time.Duration
	// StatementTimeout bounds one statement on PostgreSQL; 0 means 30 s.
	StatementTimeout time.Duration
	// Readers is the number of concurrent reading connections; 0 means 4.
	Readers int
	// Writers is the number of concurrent writing connections to PostgreSQL;
	// 0 means 4. SQLite has one.
	Writers int
	// MaxBytes limits the file's size, so that a flood of records cannot fill
	// the disk; beyond it writes are [sluice.CodeDatabase]. 0 means no limit.
	MaxBytes int64
	// Migrating is told each migration before it runs; nil tells nobody.
	Migrating func(Migration)
	// Clock stamps rows; nil means time.Now.
	Clock func() time.Time
}

// DB is the database: connections that write, some that read. It is safe for
// concurrent use, by several processes at once on PostgreSQL.
type DB struct {
	engine  engine
	writer  *sql.DB
	readers *sql.DB
	clock   func() time.Time
	// turn is held by the one [DB.Write] of this process that has a connection,
	// so that those who wait leave connections to others.
	turn   chan struct{}
	latest latest
}

// Open opens or creates the database and brings its schema up to date; of
// several processes that do so at once, one does. Errors are
// [sluice.CodeConfig] for a malformed DSN, [sluice.CodeDatabase] naming the
// database and what to do, or [sluice.CodeSchemaNewer].
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	eng, err := engineOf(cfg)
	if err != nil {
		return nil, err
	}
	db := &DB{engine: eng, clock: cfg.Clock, turn: make(chan struct{}, 1)}
	if db.writer, db.readers, err = eng.open(cfg); err != nil {
		return nil, db.explain(err)
	}
	err = eng.exclusive(ctx, db.writer, func(pool *sql.DB) error { return migrate(ctx, pool, eng.schema(), cfg.Migrating) })
	if err != nil {
		return nil, errors.Join(db.unreadable(db.explain(err)), db.Close())
	}
	return db, nil
}

// Close ends the readers, then the writers; SQLite then folds the log into the
// file.
func (db *DB) Close() error {
	db.engine.keeps().forget()
	return errors.Join(db.readers.Close(), db.writer.Close())
}

// Ping reports whether the database answers; [sluice.CodeDatabase] says why not.
func (db *DB) Ping(ctx context.Context) error {
	_, err := db.Revision(ctx)
	return err
}

// Revision returns the revision of the last committed change, by any process.
func (db *DB) Revision(ctx context.Context) (revision uint64, err error) {
	err = db.Read(ctx, func(tx *Tx) (err error) {
		revision, err = tx.Revision()
		return err
	})
	return revision, err
}

// access is how a transaction uses the database.
type access int

const (
	reading access = iota
	// adding inserts or moves what no decision depends on, such as records;
	// such transactions run beside each other where the engine can.
	adding
	// changing decides by what it read: one at a time over all processes.
	changing
)

// Write runs fn in a transaction that commits when fn returns nil; once Write
// has returned nil the change is durable. Such transactions follow one another,
// whatever process runs them: what fn reads stays true until its commit, and a
// higher revision is never visible before a lower one. fn may run again when
// the database was busy or the connection was lost, so it must change nothing
// outside the transaction that it does not overwrite.
//
// When the connection is lost while committing, Write finds out how that ended;
// where it cannot, the error says that the outcome is unknown.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	select {
	case db.turn <- struct{}{}:
		defer func() { <-db.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return db.repeat(ctx, func() error { return db.run(ctx, changing, fn) })
}

// add is Write for transactions that need not follow one another.
func (db *DB) add(ctx context.Context, fn func(*Tx) error) error {
	return db.repeat(ctx, func() error { return db.run(ctx, adding, fn) })
}

// Read runs fn on one consistent state of the database. fn runs once: a
// connection that was lost is replaced before it starts, not after.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	var started error
	err := db.repeat(ctx, func() error {
		return db.run(ctx, reading, func(tx *Tx) error {
			if err := fn(tx); err != nil {
				started = err
				return final{err}
			}
			return nil
		})
	})
	if started != nil {
		return db.explain(started)
	}
	return err
}

// repeat runs a transaction until it succeeds, fails for good or patience ends.
func (db *DB) repeat(ctx context.Context, attempt func() error) error {
	tries, pause := db.engine.patience()
	var err error
	for try := range tries {
		if err = attempt(); err == nil || !db.transient(err) {
			break
		}
		if try == tries-1 {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause << try):
		}
	}
	return db.explain(err)
}

// final is an error that no repetition mends.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

func (db *DB) transient(err error) bool {
	var f final
	return !errors.As(err, &f) && db.engine.transient(err)
}

// errSilent is the error of a database that did not answer in time, while the
// caller was still waiting.
var errSilent = errors.New("no answer in time")

// run runs fn in one transaction. Its end does not depend on ctx: a caller that
// hangs up must not leave a commit of unknown outcome.
func (db *DB) run(ctx context.Context, how access, fn func(*Tx) error) (err error) {
	defer func() {
		if isContext(err) && ctx.Err() == nil {
			err = final{fmt.Errorf("%w: %w", errSilent, err)}
		}
	}()
	pool := db.writer
	if how == reading {
		pool = db.readers
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	statement, parameters := db.engine.limits()
	ends := newEnding(ctx, statement > 0)
	defer ends.release()
	sqlTx, err := conn.BeginTx(ends.ctx, db.engine.options(how != reading))
	if err != nil {
		return err
	}
	defer sqlTx.Rollback() // a no-op after Commit
	if !ends.disarm() {
		return context.Canceled // it is rolled back behind our back
	}
	tx := &Tx{ctx: ctx, conn: conn, tx: sqlTx, limit: statement, parameters: parameters, cheap: db.engine.parameters, arrays: db.engine.shared(), now: db.clock().UTC().Truncate(time.Microsecond)}
	if how != reading {
		tx.kept = db.engine.keeps()
	}
	err = db.within(tx, how, fn)
	ends.arm()
	if err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return db.engine.settle(ctx, db.writer, tx.id, err)
	}
	return nil
}

// ending is the context of a transaction's begin, commit and rollback: without
// the caller's end, with one of its own while it is armed, as it is at first.
type ending struct {
	ctx    context.Context
	cancel context.CancelFunc
	timer  *time.Timer // nil for what cannot hang
}

func newEnding(ctx context.Context, bounded bool) *ending {
	e := &ending{ctx: context.WithoutCancel(ctx), cancel: func() {}}
	if bounded {
		e.ctx, e.cancel = context.WithCancel(e.ctx)
		e.timer = time.AfterFunc(endLimit, e.cancel)
	}
	return e
}

func (e *ending) arm() {
	if e.timer != nil {
		e.timer.Reset(endLimit)
	}
}

// disarm reports whether there was time left.
func (e *ending) disarm() bool { return e.timer == nil || e.timer.Stop() }

func (e *ending) release() {
	e.disarm()
	e.cancel()
}

// within does what stands between begin and commit.
func (db *DB) within(tx *Tx, how access, fn func(*Tx) error) error {
	if how == changing {
		if err := db.engine.alone(tx); err != nil {
			return err
		}
	}
	if err := fn(tx); err != nil {
		return err
	}
	return tx.ctx.Err()
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
