package app

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// newCatalogCommand returns the command of the catalogue of models.
func newCatalogCommand(env cliEnv) *cobra.Command {
	cmd := &cobra.Command{Use: "catalog", Short: "Read the catalogue of well-known models, and make models of its entries"}
	conn := &connection{env: env}
	conn.addFlags(cmd)
	cmd.AddCommand(newCatalogList(conn), newCatalogShow(conn), newCatalogLoad(conn), newCatalogExport(conn))
	return cmd
}

func newCatalogList(conn *connection) *cobra.Command {
	q := sluice.CatalogQuery{Limit: 500}
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the entries", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			var items []sluice.CatalogEntry
			for {
				page, err := c.Catalog(cmd.Context(), q)
				if err != nil {
					return err
				}
				items = append(items, page.Items...)
				if q.Cursor = page.Next; q.Cursor == "" {
					return printCatalog(conn, items)
				}
			}
		},
	}
	cmd.Flags().StringVar(&q.Provider, "provider", "", "only those of this type of provider")
	cmd.Flags().StringVar(&q.Operation, "operation", "", "only those for this operation, for instance embeddings")
	cmd.Flags().StringVar(&q.Search, "search", "", "only those whose id contains this")
	return cmd
}

func newCatalogShow(conn *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show <provider/name or name>", Short: "Show all that is known of one model, with its sources", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			entry, err := c.CatalogEntry(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if conn.output == "table" {
				return printValue(&connection{env: conn.env, output: "yaml"}, entry)
			}
			return printValue(conn, entry)
		},
	}
}

func newCatalogLoad(conn *connection) *cobra.Command {
	var load sluice.CatalogLoad
	var dryRun bool
	cmd := &cobra.Command{
		Use: "load [provider/name or name]...", Short: "Make models of entries, or of all of a provider",
		Long: "Creates the models that do not exist and renews those that an earlier load made. Models that people entered or edited are kept, unless --overwrite is given.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			load.Names = args
			results, err := c.LoadCatalog(cmd.Context(), conn.tenant, load, dryRun)
			if err != nil {
				return err
			}
			if conn.output != "table" {
				return printValue(conn, map[string]any{"items": results})
			}
			for _, r := range results {
				fmt.Fprintf(conn.env.Stdout, "model %s %s%s\n", r.Model, r.Result, trial(dryRun))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&load.Provider, "provider", "", "all entries of this type of provider")
	cmd.Flags().BoolVar(&load.Overwrite, "overwrite", false, "replace what people entered or edited, too")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything, keep nothing")
	return cmd
}

// newCatalogExport prints the models that exist, in the form that `models apply`
// reads.
func newCatalogExport(conn *connection) *cobra.Command {
	const most = 100_000 // far more models than there are
	return &cobra.Command{
		Use: "export", Short: "Print the models that exist as JSON or YAML, for `models apply`", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			items, _, err := listAll(cmd.Context(), c.Models(), sluice.ListQuery{Tenant: conn.tenant}, most)
			if err != nil {
				return err
			}
			out := *conn
			if out.output == "table" {
				out.output = "json"
			}
			return printValue(&out, map[string]any{"items": items})
		},
	}
}

// printCatalog shows entries as a table, JSON or YAML.
func printCatalog(conn *connection, items []sluice.CatalogEntry) error {
	if conn.output != "table" {
		return printValue(conn, map[string]any{"items": items})
	}
	w := tabwriter.NewWriter(conn.env.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tOPERATIONS\tCONTEXT\tMAX OUTPUT\tINPUT\tOUTPUT\tDATE")
	for i := range items {
		e := &items[i]
		fmt.Fprintln(w, strings.Join([]string{e.ID, joined(e.Operations), orDash(e.ContextWindow), orDash(e.MaxOutputTokens),
			rateText(e, sluice.UnitInput), rateText(e, sluice.UnitOutput), e.Date}, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// rateText shows the price of a unit as vendors quote it, per million.
func rateText(e *sluice.CatalogEntry, unit sluice.Unit) string {
	rate, ok := e.Rates[unit]
	if !ok {
		return "-"
	}
	return sluice.Nanos(rate).String() + " " + e.Asset + "/M"
}

func trial(dryRun bool) string {
	if dryRun {
		return " (dry run)"
	}
	return ""
}
