package app

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// newBillingCommand returns the command of wallets.
func newBillingCommand(env cliEnv) *cobra.Command {
	cmd := &cobra.Command{Use: "billing", Short: "Read and fill wallets, and export what was spent"}
	conn := &connection{env: env}
	conn.addFlags(cmd)
	cmd.AddCommand(newBillingBalance(conn), newBillingUsage(conn), newBillingTransactions(conn), newBillingPayments(conn),
		newBillingTopUp(conn), newBillingGrant(conn), newBillingAdjust(conn), newBillingRefund(conn), newBillingCodes(conn), newBillingRedeem(conn))
	return cmd
}

// walletFlags name whose wallet is meant; --tenant is everywhere.
type walletFlags struct{ user, key string }

func (f *walletFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.user, "user", "", "the wallet of this user of the tenant")
	cmd.Flags().StringVar(&f.key, "key", "", "the wallet of this key of the tenant")
}

func (f *walletFlags) owner(conn *connection) sluice.WalletOwner {
	return sluice.WalletOwner{Tenant: conn.tenant, User: f.user, Key: f.key}
}

// spanFlags bound a time.
type spanFlags struct{ from, to string }

func (f *spanFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.from, "from", "", "the first `time`, as in RFC 3339")
	cmd.Flags().StringVar(&f.to, "to", "", "the `time` behind the last, as in RFC 3339")
}

func (f *spanFlags) read() (from, to time.Time, err error) {
	if f.from != "" {
		if from, err = parseMoment("--from", f.from); err != nil {
			return from, to, err
		}
	}
	if f.to != "" {
		to, err = parseMoment("--to", f.to)
	}
	return from, to, err
}

func newBillingBalance(conn *connection) *cobra.Command {
	var whose walletFlags
	var asset string
	cmd := &cobra.Command{
		Use: "balance", Short: "Show what may be spent", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			b, err := c.Balance(cmd.Context(), sluice.BalanceQuery{WalletOwner: whose.owner(conn), Asset: asset})
			if err != nil {
				return err
			}
			return printBalances(conn, b)
		},
	}
	whose.add(cmd)
	cmd.Flags().StringVar(&asset, "asset", "", "only this currency")
	return cmd
}

func newBillingUsage(conn *connection) *cobra.Command {
	var span spanFlags
	var q sluice.BilledUsageQuery
	var by, format string
	cmd := &cobra.Command{
		Use: "usage", Short: "Show or export what requests used and cost", Args: cobra.NoArgs,
		Long: "Shows what requests used and cost, by default in the present month. --format csv prints a table for a spreadsheet.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			q.Tenant = conn.tenant
			if q.From, q.To, err = span.read(); err != nil {
				return err
			}
			if by != "" {
				q.GroupBy = strings.Split(by, ",")
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			if format == "csv" {
				table, err := c.BilledUsageCSV(cmd.Context(), q)
				if err == nil {
					_, err = conn.env.Stdout.Write(table)
				}
				return err
			}
			rows, err := c.BilledUsage(cmd.Context(), q)
			if err != nil {
				return err
			}
			return printUsage(conn, q, rows)
		},
	}
	span.add(cmd)
	cmd.Flags().StringVar(&by, "group-by", "", "`dimensions`, comma-separated: tenant, user, key, model, provider, route, outcome")
	cmd.Flags().StringVar(&q.Bucket, "bucket", "", "split time by hour, day or month")
	cmd.Flags().StringVar(&format, "format", "", "csv prints a table for a spreadsheet")
	for flag, to := range map[string]*string{"user": &q.User, "key": &q.Key, "model": &q.Model, "provider": &q.Provider, "route": &q.Route} {
		cmd.Flags().StringVar(to, flag, "", "only requests of this "+flag)
	}
	return cmd
}

func newBillingTransactions(conn *connection) *cobra.Command {
	var whose walletFlags
	var span spanFlags
	var q sluice.StatementQuery
	var code, request string
	cmd := &cobra.Command{
		Use: "transactions", Short: "Show the transfers of a wallet, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			q.WalletOwner, q.Code = whose.owner(conn), sluice.TransferCode(code)
			if q.From, q.To, err = span.read(); err != nil {
				return err
			}
			if request != "" {
				if q.Request, err = sluice.ParseRequestID(request); err != nil {
					return err
				}
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			page, err := c.Transactions(cmd.Context(), q)
			if err != nil {
				return err
			}
			return printStatement(conn, page)
		},
	}
	whose.add(cmd)
	span.add(cmd)
	cmd.Flags().StringVar(&q.Asset, "asset", "", "only this currency")
	cmd.Flags().StringVar(&code, "code", "", "only one `kind`, such as charge, hold, top_up or refund")
	cmd.Flags().StringVar(&request, "request", "", "only those of one request, by its `id`")
	cmd.Flags().StringVar(&q.Cursor, "cursor", "", "continue a page")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "at most so many; 50 when left out")
	return cmd
}

// printRows shows a table, and how to go on when there is more.
func printRows(conn *connection, rows [][]string, next string) error {
	w := tabwriter.NewWriter(conn.env.Stdout, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = cellText(row[i])
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	if next != "" {
		fmt.Fprintf(conn.env.Stdout, "\nmore: --cursor %s\n", next)
	}
	return nil
}
