package app

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// newPricesCommand returns the command of the price book.
func newPricesCommand(env cliEnv) *cobra.Command {
	cmd := &cobra.Command{Use: "prices", Short: "Read and extend the price book, and explain what requests cost"}
	conn := &connection{env: env}
	conn.addFlags(cmd)
	cmd.AddCommand(newPricesList(conn), newPricesCreate(conn), newPricesImport(conn), newPricesExport(conn), newPricesLoad(conn), newPricesExplain(conn))
	return cmd
}

// priceFlags select versions of the price book.
type priceFlags struct{ model, at string }

func (f *priceFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.model, "model", "", "only those of this model")
	cmd.Flags().StringVar(&f.at, "at", "", "only those that hold at a `time` as in RFC 3339, or now")
}

// query reads the flags; --tenant keeps what concerns one tenant.
func (f *priceFlags) query(conn *connection) (sluice.PriceQuery, error) {
	q := sluice.PriceQuery{Tenant: conn.tenant, Model: f.model, Limit: 500}
	switch f.at {
	case "":
		return q, nil
	case "now":
		q.At = time.Now()
		return q, nil
	}
	at, err := parseMoment("--at", f.at)
	q.At = at
	return q, err
}

func parseMoment(flag, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, sluice.Errorf(sluice.CodeConfig, "%s: %q is not a time such as 2026-01-31T12:00:00Z", flag, text)
	}
	return at, nil
}

func newPricesList(conn *connection) *cobra.Command {
	var flags priceFlags
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List versions; rates are per 1,000,000 units", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := flags.query(conn)
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			var items []sluice.Price
			for {
				page, err := c.Prices(cmd.Context(), q)
				if err != nil {
					return err
				}
				items = append(items, page.Items...)
				if q.Cursor = page.Next; q.Cursor == "" {
					return printPrices(conn, items)
				}
			}
		},
	}
	flags.add(cmd)
	return cmd
}

func newPricesCreate(conn *connection) *cobra.Command {
	p := sluice.Price{}
	var from string
	var rates []string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "create <model>", Short: "Make a new version of what a model costs", Args: cobra.ExactArgs(1),
		Long: "Makes a version that holds from a moment on, for everyone or with --tenant for one tenant. Rates are per 1,000,000 units: --rate input=2.50 --rate output=10.",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			p.Model, p.Tenant, p.Rates = args[0], conn.tenant, map[sluice.Unit]sluice.Rate{}
			for _, text := range rates {
				name, amount, _ := strings.Cut(text, "=")
				unit, err := sluice.ParseUnit(name)
				if err != nil {
					return err
				}
				rate, err := sluice.ParseNanos(amount) // a rate is in nano-units per million
				if err != nil {
					return err
				}
				p.Rates[unit] = sluice.Rate(rate)
			}
			if from != "" {
				if p.From, err = parseMoment("--from", from); err != nil {
					return err
				}
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			made, err := c.CreatePrice(cmd.Context(), p, dryRun)
			if err != nil {
				return err
			}
			return printMade(conn, []sluice.Price{made}, dryRun)
		},
	}
	cmd.Flags().StringVar(&p.Asset, "asset", "USD", "the currency")
	cmd.Flags().StringVar(&from, "from", "", "the first `time` at which it holds, as in RFC 3339; now when left out")
	cmd.Flags().StringArrayVar(&rates, "rate", nil, "`unit=amount` per 1,000,000 units (repeat)")
	cmd.Flags().BoolVar(&p.Free, "free", false, "the model costs nothing")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything, keep nothing")
	return cmd
}

func newPricesImport(conn *connection) *cobra.Command {
	var path, format string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "import", Short: "Make versions of a JSON or CSV file: all of it or nothing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return sluice.Errorf(sluice.CodeConfig, "--file is needed: a JSON or CSV file, or - for standard input")
			}
			if format == "" {
				format = string(sluice.PriceJSON)
				if strings.HasSuffix(strings.ToLower(path), ".csv") {
					format = string(sluice.PriceCSV)
				}
			}
			data, err := readDocumentFile(conn.env, path)
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			made, err := c.ImportPrices(cmd.Context(), sluice.PriceFormat(format), data, dryRun)
			if err != nil {
				return err
			}
			return printMade(conn, made, dryRun)
		},
	}
	cmd.Flags().StringVarP(&path, "file", "f", "", "the `file`, or - for standard input")
	cmd.Flags().StringVar(&format, "format", "", "json or csv; by the file's name when left out")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything, keep nothing")
	return cmd
}

func newPricesExport(conn *connection) *cobra.Command {
	var flags priceFlags
	format := string(sluice.PriceJSON)
	cmd := &cobra.Command{
		Use: "export", Short: "Print versions as a file that can be imported", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := flags.query(conn)
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			text, err := c.ExportPrices(cmd.Context(), q, sluice.PriceFormat(format))
			if err != nil {
				return err
			}
			_, err = conn.env.Stdout.Write(text)
			return err
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&format, "format", format, "json or csv")
	return cmd
}

func newPricesLoad(conn *connection) *cobra.Command {
	var load sluice.CatalogLoad
	var dryRun bool
	cmd := &cobra.Command{
		Use: "load [provider/name or name]...", Short: "Make prices of the list prices in the catalogue, for everyone, from now on",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			load.Names = args
			made, err := c.LoadPrices(cmd.Context(), load, dryRun)
			if err != nil {
				return err
			}
			return printMade(conn, made, dryRun)
		},
	}
	cmd.Flags().StringVar(&load.Provider, "provider", "", "all entries of this type of provider")
	cmd.Flags().BoolVar(&load.Overwrite, "overwrite", false, "follow prices of another amount, too")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything, keep nothing")
	return cmd
}

func newPricesExplain(conn *connection) *cobra.Command {
	return &cobra.Command{
		Use: "explain <request id>", Short: "Say what one request cost, and why, line by line", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			cost, err := c.RecordCost(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if conn.output != "table" {
				return printValue(conn, cost)
			}
			return printCost(conn, cost)
		},
	}
}

// printPrices shows versions as a table, JSON or YAML.
func printPrices(conn *connection, items []sluice.Price) error {
	if conn.output != "table" {
		return printValue(conn, map[string]any{"items": items})
	}
	w := tabwriter.NewWriter(conn.env.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tMODEL\tTENANT\tASSET\tFROM\tRATES PER MILLION")
	for i := range items {
		p := &items[i]
		tenant := p.Tenant
		if tenant == "" {
			tenant = "everyone"
		}
		fmt.Fprintln(w, strings.Join([]string{strconv.FormatUint(p.Version, 10), p.Model, tenant, p.Asset, p.From.UTC().Format(time.RFC3339), ratesText(p)}, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// ratesText lists the rates in the order of the units.
func ratesText(p *sluice.Price) string {
	if p.Free {
		return "free"
	}
	var list []string
	for u := range sluice.UnitCount {
		if rate, priced := p.Rates[sluice.Unit(u)]; priced {
			list = append(list, sluice.Unit(u).String()+"="+sluice.Nanos(rate).String())
		}
	}
	return strings.Join(list, " ")
}

// printMade tells what was made, or would be.
func printMade(conn *connection, made []sluice.Price, dryRun bool) error {
	if conn.output != "table" {
		return printValue(conn, map[string]any{"items": made})
	}
	for i := range made {
		fmt.Fprintf(conn.env.Stdout, "price %d of %s created%s\n", made[i].Version, made[i].Model, trial(dryRun))
	}
	if len(made) == 0 {
		fmt.Fprintln(conn.env.Stdout, "nothing to do")
	}
	return nil
}

// printCost shows a cost line by line.
func printCost(conn *connection, c sluice.RecordCost) error {
	w := tabwriter.NewWriter(conn.env.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "MODEL\t%s\nOUTCOME\t%s\n", c.Model, c.Outcome)
	if c.Price != nil {
		fmt.Fprintf(w, "PRICE\tversion %d, times %s\n", c.Price.Version, c.Multiplier)
	}
	for _, l := range c.Lines {
		fmt.Fprintf(w, "%s\t%d at %s per million\t%s\n", strings.ToUpper(l.Unit.String()), l.Quantity, sluice.Nanos(l.Rate), l.Amount)
	}
	if c.Cost.Asset != "" {
		fmt.Fprintf(w, "COST\t%s %s\n", c.Cost.Amount, c.Cost.Asset)
	}
	for _, l := range c.Transfers {
		fmt.Fprintf(w, "%s\t%s\tposted %s, held %s\n", strings.ToUpper(string(l.Code)), l.Account, cmp.Or(signed(l.Posted), "0"), cmp.Or(signed(l.Held), "0"))
	}
	fmt.Fprintf(w, "WHY\t%s\n", c.Reason)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print cost: %w", err)
	}
	return nil
}
