package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluicegate/sluice"
)

// fault is what a driver's error means. The zero value is an error that is not
// the driver's.
type fault struct {
	// driver is set for every error of the driver.
	driver bool
	// taken is the driver's text about a value that must be unique, or "".
	taken string
	// problem is the known one, or the zero value.
	problem problem
}

// problem says what is wrong with the database: short for clients, who learn
// neither path nor host, and advice for operators.
type problem struct{ short, advice string }

// silent is the problem of [errSilent].
var silent = problem{"it does not answer", "the database is overloaded, or the network drops packets"}

// explain turns a driver's error into one that an operator can act on, naming
// the database. Errors that carry a code already, the end of a context, and
// what is not the driver's pass.
func (db *DB) explain(err error) error {
	var coded *sluice.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	f := db.engine.fault(err)
	switch {
	case errors.Is(err, errSilent):
		f.problem = silent
	case isContext(err):
		return err
	case f.taken != "":
		return conflict(f.taken, err)
	}
	if f.problem.short != "" {
		return sluice.Errorf(sluice.CodeDatabase, "the database is unavailable: %s", f.problem.short).
			Because(fmt.Errorf("%s: %s: %w", db.engine.label(), f.problem.advice, err))
	}
	if f.driver {
		return fmt.Errorf("database %s: %w", db.engine.label(), err)
	}
	return err
}

// unreadable gives a code to whatever else keeps a database from being opened:
// a page of its catalogue that is damaged shows as any error of SQL.
func (db *DB) unreadable(err error) error {
	var coded *sluice.Error
	if errors.As(err, &coded) || isContext(err) {
		return err
	}
	return sluice.Errorf(sluice.CodeDatabase, "the schema of the database cannot be read or brought up to date").
		Because(fmt.Errorf("%s: it is damaged, or not Sluice's; restore a back-up: %w", db.engine.label(), err))
}

// conflict names the field that must be unique; the driver names the column or
// a constraint that is called after it.
func conflict(taken string, err error) error {
	field := "/name"
	if strings.Contains(taken, "email") {
		field = "/email"
	}
	return sluice.Errorf(sluice.CodeConflict, "%s is taken", field[1:]).At(field).Because(err)
}
