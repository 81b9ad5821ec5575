package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

func newMigrate(p process) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database's schema up to date, or copy it to PostgreSQL", Args: cobra.NoArgs,
		Long: `Creates or updates the schema of the configured database (EZ_PG_DSN, else SQLite
in the data folder) and tells each step. control and serve do the same when
they start; run this first where that should not be their business.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return migrate(cmd.Context(), p, file) },
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file")
	cmd.AddCommand(newMigrateCopy(p))
	return cmd
}

// migrate opens the configured database, which migrates it.
func migrate(ctx context.Context, p process, file string) error {
	cfg, err := load(sources{environ: p.environ, file: file})
	if err != nil {
		return err
	}
	steps := newProgress(p.stdout, true)
	if cfg.PostgresDSN == "" {
		unlock, err := lockFolder(cfg.DataDir, RoleServe)
		if err != nil {
			return err
		}
		defer unlock()
	}
	db, err := openStore(ctx, &cfg.Config, steps.step)
	if err != nil {
		return err
	}
	steps.step("the schema is up to date")
	return db.Close()
}

func newMigrateCopy(p process) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "copy", Short: "Copy an embedded database into an empty PostgreSQL database", Args: cobra.NoArgs,
		Long: `Copies everything that the SQLite database in a data folder keeps into an empty
PostgreSQL database, in one transaction, and compares every row before it
commits. Sluice must not run on the folder meanwhile. Secrets stay sealed: the
new installation needs the same SLUICE_MASTER_KEY.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				to = p.getenv("EZ_PG_DSN") // a command line is seen by everybody on the machine
			}
			return migrateCopy(cmd.Context(), p.stdout, from, to)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "data `folder` to copy")
	cmd.Flags().StringVar(&to, "to", "", "`DSN` of the empty PostgreSQL database; default EZ_PG_DSN, which hides the password from other users")
	_ = cmd.MarkFlagRequired("from") // the flag exists
	return cmd
}

// migrateCopy copies a folder's database and tells how far it is.
func migrateCopy(ctx context.Context, out io.Writer, folder, dsn string) (err error) {
	if dsn == "" {
		return sluice.Errorf(sluice.CodeConfig, "say where to copy to: set EZ_PG_DSN, or give --to")
	}
	path := filepath.Join(folder, databaseName)
	if _, err := os.Stat(path); err != nil {
		return sluice.Errorf(sluice.CodeConfig, "there is no database in %s (--from)", folder).Because(err)
	}
	unlock, err := lockFolder(folder, RoleServe)
	if err != nil {
		return err
	}
	defer unlock()
	from, err := store.Open(ctx, store.Config{Path: path})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := store.Open(ctx, store.Config{DSN: dsn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	rows, err := store.Copy(ctx, from, to, func(p store.CopyProgress) { printCopy(out, p) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "copied and verified %d rows\n", rows)
	return err
}

func printCopy(out io.Writer, p store.CopyProgress) {
	fmt.Fprintf(out, "%-6s  %-24s %d/%d", p.Phase, p.Table, p.Rows, p.Total)
	if p.Digest != "" {
		fmt.Fprintf(out, "  sha256 %.16s", p.Digest)
	}
	fmt.Fprintln(out)
}
