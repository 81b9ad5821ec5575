package store

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs that are more than a message
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	stateUnique        = "23505"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
)

// isRefusal reports whether the server said that it rolled a transaction back
// in favour of another one.
func isRefusal(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == stateSerialization || e.Code == stateDeadlock)
}

// transient is true for what the transaction lost to another one, and for a
// connection that was lost or could not be made before the commit.
func (p *postgresServer) transient(err error) bool {
	var u unsettled
	if errors.As(err, &u) {
		return true
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return isRefusal(err) || stateOf(e) == lost || stateOf(e) == restarting
	}
	if isContext(err) {
		return false
	}
	return isLost(err) || isUnreachable(err)
}

// isLost reports whether a connection broke that had been made.
func isLost(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}

// isUnreachable reports whether nobody answers at the address.
func isUnreachable(err error) bool {
	var connect *pgconn.ConnectError
	var dial *net.OpError
	return errors.As(err, &connect) && errors.As(err, &dial)
}

func (p *postgresServer) fault(err error) fault {
	var e *pgconn.PgError
	var connect *pgconn.ConnectError
	var name *net.DNSError
	switch {
	case errors.Is(err, errNoSchema):
		return fault{true, "", problem{"its schema does not exist", "create the schema that search_path names"}}
	case errors.Is(err, errUnknown):
		return fault{true, "", problem{"whether the change was made is unknown", "the connection was lost while committing; look whether the change is there"}}
	case errors.As(err, &e) && e.Code == stateUnique:
		return fault{driver: true, taken: e.ConstraintName} // "table_column_key"
	case errors.As(err, &e):
		return fault{driver: true, problem: stateOf(e)}
	case errors.As(err, &name):
		return fault{true, "", problem{"it cannot be reached", "the name of the host cannot be resolved; correct it, or the resolver"}}
	case isUnreachable(err):
		return fault{true, "", problem{"it cannot be reached", "nobody answers at this address; start PostgreSQL, or correct host and port"}}
	case errors.As(err, &connect):
		return fault{true, "", problem{"it cannot be reached", "the connection could not be made; look at host, port and sslmode"}}
	case isLost(err):
		return fault{driver: true, problem: lost}
	}
	return fault{}
}

var (
	lost       = problem{"the connection was lost", "the server or the network failed"}
	restarting = problem{"it is starting or stopping", "wait until the server is up"}
	contended  = problem{"it is contended", "transactions kept getting in each other's way"}
	signIn     = problem{"it refuses to sign in", "user name or password are wrong, or pg_hba.conf forbids the connection"}
	damaged    = problem{"it is damaged", "an index or a page is corrupt; restore a backup"}
)

// stateOf returns the known problem of a server's error, by its code or else by
// the class that the code belongs to.
func stateOf(e *pgconn.PgError) problem {
	if p, known := postgresProblems[e.Code]; known {
		return p
	}
	return postgresProblems[e.Code[:min(2, len(e.Code))]]
}

var postgresProblems = map[string]problem{
	"08": lost, "25P03": lost,
	"57P01": restarting, "57P02": restarting, "57P03": restarting,
	stateSerialization: contended, stateDeadlock: contended,
	"28":    signIn,
	"3D000": {"it does not exist", "create the database that the DSN names"},
	"42501": {"it refuses access", "give the user of the DSN the rights USAGE and CREATE on its schema"},
	"53300": {"it has no connection left", "raise max_connections or lower the pools of those who connect"},
	"53":    {"it has run out of memory or disk", "free space or raise the limits of the server"},
	"55P03": {"it is locked", "another process holds a lock for too long; find it in pg_stat_activity"},
	"57014": {"a statement took too long", "statement_timeout ended it; look at the server's load"},
	"25006": {"it is read-only", "the DSN names a standby; name the primary, or add target_session_attrs=read-write"},
	"XX":    damaged,
}
