package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/sluicegate/sluice"
)

//go:embed migrations
var migrations embed.FS

// migrate applies the migrations that the database lacks, each in its own
// transaction. A database with a migration that this binary does not know is
// left alone: [sluice.CodeSchemaNewer].
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("read embedded migrations: %w", err)
	}
	g, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
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
