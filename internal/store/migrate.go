package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/sluicegate/sluice"
)

// migrations holds one file of portable DDL per version, "0001_schema.sql", and
// beside it what only one engine understands, "0001_schema.postgres.sql".
//
//go:embed migrations
var migrations embed.FS

// Migration is one step of the schema.
type Migration struct {
	// Version is the schema's number after it, from 1.
	Version int64
	// Name says what it does.
	Name string
}

// migrate applies the migrations that the database lacks, each in its own
// transaction. A database with a migration that this binary does not know is
// left alone: [sluice.CodeSchemaNewer].
func migrate(ctx context.Context, pool *sql.DB, s schema, before func(Migration)) error {
	steps, err := s.steps(before)
	if err != nil {
		return fmt.Errorf("read embedded migrations: %w", err)
	}
	g, err := goose.NewProvider(s.dialect, pool, nil, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...))
	if err != nil {
		return fmt.Errorf("read embedded migrations: %w", err)
	}
	current, newest, err := g.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > newest {
		return sluice.Errorf(sluice.CodeSchemaNewer, "the database has schema %d, this binary knows up to %d", current, newest)
	}
	if _, err := g.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// steps reads the migrations as the engine understands them.
func (s schema) steps(before func(Migration)) ([]*goose.Migration, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
		if strings.Contains(name, ".") {
			continue // a companion, read with its portable file
		}
		number, title, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the name of %s does not start with a version: %w", file, err)
		}
		statements, err := s.statements("migrations/" + name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if before != nil {
				before(Migration{Version: version, Name: title})
			}
			_, err := tx.ExecContext(ctx, statements)
			return err
		}}, nil))
	}
	return steps, nil
}

// statements returns the SQL of one version: the portable file, rendered, and
// the engine's companion when there is one.
func (s schema) statements(base string) (string, error) {
	portable, err := migrations.ReadFile(base + ".sql")
	if err != nil {
		return "", err
	}
	own, err := migrations.ReadFile(base + "." + s.companion + ".sql")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return s.render(string(portable)) + "\n" + string(own), nil
}
