package app

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"strconv"
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

func newBillingPayments(conn *connection) *cobra.Command {
	var whose walletFlags
	var kind string
	q := sluice.PaymentQuery{}
	cmd := &cobra.Command{
		Use: "payments", Short: "List top-ups, grants, redemptions, refunds and adjustments, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			q.WalletOwner, q.Kind = whose.owner(conn), sluice.PaymentKind(kind)
			page, err := c.Payments(cmd.Context(), q)
			if err != nil {
				return err
			}
			return printPayments(conn, page)
		},
	}
	whose.add(cmd)
	cmd.Flags().StringVar(&kind, "kind", "", "only top_up, grant, redemption, refund or adjust")
	cmd.Flags().StringVar(&q.Cursor, "cursor", "", "continue a page")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "at most so many; 50 when left out")
	return cmd
}

// paymentFlags describe a payment.
type paymentFlags struct {
	walletFlags
	id, asset, note, expires string
	dryRun                   bool
}

func (f *paymentFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.id, "id", "", "what the payment is called, for ever: the same `id` again pays nothing more; drawn when left out")
	cmd.Flags().StringVar(&f.note, "note", "", "what it is for")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check everything, keep nothing")
}

// addWallet adds the flags of payments that name a wallet.
func (f *paymentFlags) addWallet(cmd *cobra.Command) {
	f.add(cmd)
	f.walletFlags.add(cmd)
	cmd.Flags().StringVar(&f.asset, "asset", "USD", "the currency")
}

// payment reads the flags; an id is drawn where none was given.
func (f *paymentFlags) payment(conn *connection, amount string) (p sluice.Payment, err error) {
	p = sluice.Payment{ID: cmp.Or(f.id, "cli-"+strings.ToLower(rand.Text())), WalletOwner: f.owner(conn), Asset: f.asset, Note: f.note}
	if amount != "" {
		if p.Amount, err = sluice.ParseNanos(amount); err != nil {
			return p, err
		}
	}
	if f.expires != "" {
		p.ExpiresAt, err = parseMoment("--expires", f.expires)
	}
	return p, err
}

func newBillingTopUp(conn *connection) *cobra.Command {
	var flags paymentFlags
	cmd := &cobra.Command{
		Use: "top-up <amount>", Short: "Credit a wallet with money that was received", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := flags.payment(conn, args[0])
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			out, created, err := c.TopUp(cmd.Context(), p, sluice.WriteOptions{DryRun: flags.dryRun})
			return printPaid(conn, out, created, flags.dryRun, err)
		},
	}
	flags.addWallet(cmd)
	return cmd
}

func newBillingGrant(conn *connection) *cobra.Command {
	var flags paymentFlags
	cmd := &cobra.Command{
		Use: "grant <amount>", Short: "Give a wallet credit, which may expire", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := flags.payment(conn, args[0])
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			out, created, err := c.Grant(cmd.Context(), p, sluice.WriteOptions{DryRun: flags.dryRun})
			return printPaid(conn, out, created, flags.dryRun, err)
		},
	}
	flags.addWallet(cmd)
	cmd.Flags().StringVar(&flags.expires, "expires", "", "the `time` at which the rest is gone, as in RFC 3339")
	cmd.AddCommand(newGrantRevoke(conn))
	return cmd
}

func newGrantRevoke(conn *connection) *cobra.Command {
	var flags paymentFlags
	var amount string
	cmd := &cobra.Command{
		Use: "revoke <grant id>", Short: "Take back what is left of a grant", Args: cobra.ExactArgs(1),
		Long: "Takes back what is left of a grant, or with --amount a part of it. What requests in progress hold of it stays until they end.",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := flags.payment(conn, amount)
			if err != nil {
				return err
			}
			p.WalletOwner, p.Grant, p.Amount = sluice.WalletOwner{}, args[0], -p.Amount // the grant says whose it is
			c, err := conn.dial()
			if err != nil {
				return err
			}
			out, created, err := c.Adjust(cmd.Context(), p, sluice.WriteOptions{DryRun: flags.dryRun})
			return printPaid(conn, out, created, flags.dryRun, err)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&amount, "amount", "", "a part of the grant; all that is left when left out")
	return cmd
}

func newBillingAdjust(conn *connection) *cobra.Command {
	var flags paymentFlags
	var by string
	cmd := &cobra.Command{
		Use: "adjust --by <amount>", Short: "Correct a wallet, up or down", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := flags.payment(conn, by)
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			out, created, err := c.Adjust(cmd.Context(), p, sluice.WriteOptions{DryRun: flags.dryRun})
			return printPaid(conn, out, created, flags.dryRun, err)
		},
	}
	flags.addWallet(cmd)
	cmd.Flags().StringVar(&by, "by", "", "the `amount`; below zero takes money out")
	return cmd
}

func newBillingRefund(conn *connection) *cobra.Command {
	var flags paymentFlags
	var amount string
	cmd := &cobra.Command{
		Use: "refund <request id>", Short: "Give back what a request was charged", Args: cobra.ExactArgs(1),
		Long: "Gives back to the wallet that paid what is left of a request's charge, or with --amount a part of it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := flags.payment(conn, amount)
			if err != nil {
				return err
			}
			if p.Request, err = sluice.ParseRequestID(args[0]); err != nil {
				return err
			}
			p.WalletOwner = sluice.WalletOwner{} // the request says whose it is
			c, err := conn.dial()
			if err != nil {
				return err
			}
			out, created, err := c.Refund(cmd.Context(), p, sluice.WriteOptions{DryRun: flags.dryRun})
			return printPaid(conn, out, created, flags.dryRun, err)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&amount, "amount", "", "a part of the charge; all that is left when left out")
	return cmd
}

func newBillingRedeem(conn *connection) *cobra.Command {
	var wallet string
	cmd := &cobra.Command{
		Use: "redeem <code>", Short: "Turn a redemption code into money in the own wallet", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			out, err := c.Redeem(cmd.Context(), args[0], wallet, sluice.WriteOptions{})
			return printPaid(conn, out, true, false, err)
		},
	}
	cmd.Flags().StringVar(&wallet, "wallet", "", "tenant or user; the tenant's where you may, when left out")
	return cmd
}

func newBillingCodes(conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "codes", Short: "Make, list and revoke redemption codes"}
	cmd.AddCommand(newCodesCreate(conn), newCodesList(conn), newCodesRevoke(conn))
	return cmd
}

func newCodesCreate(conn *connection) *cobra.Command {
	order := sluice.CodeOrder{}
	var expires string
	cmd := &cobra.Command{
		Use: "create <amount>", Short: "Make redemption codes; they are shown once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if order.Amount, err = sluice.ParseNanos(args[0]); err != nil {
				return err
			}
			if expires != "" {
				if order.ExpiresAt, err = parseMoment("--expires", expires); err != nil {
					return err
				}
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			codes, err := c.CreateCodes(cmd.Context(), order, sluice.WriteOptions{})
			if err != nil {
				return err
			}
			return printCodes(conn, sluice.Page[sluice.RedemptionCode]{Items: codes})
		},
	}
	cmd.Flags().IntVar(&order.Count, "count", 1, "how many")
	cmd.Flags().StringVar(&order.Asset, "asset", "USD", "the currency")
	cmd.Flags().StringVar(&order.Note, "note", "", "what they are for")
	cmd.Flags().StringVar(&expires, "expires", "", "the `time` until which they can be redeemed, as in RFC 3339")
	return cmd
}

func newCodesList(conn *connection) *cobra.Command {
	q := sluice.CodeQuery{}
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List redemption codes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			page, err := c.Codes(cmd.Context(), q)
			if err != nil {
				return err
			}
			return printCodes(conn, page)
		},
	}
	cmd.Flags().Uint64Var(&q.Order, "order", 0, "only those of one order")
	cmd.Flags().StringVar(&q.Cursor, "cursor", "", "continue a page")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "at most so many; 50 when left out")
	return cmd
}

func newCodesRevoke(conn *connection) *cobra.Command {
	return &cobra.Command{
		Use: "revoke <number>", Short: "Make a code void", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil {
				return sluice.Errorf(sluice.CodeConfig, "%q is not the number of a code", args[0])
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			code, err := c.RevokeCode(cmd.Context(), id)
			if err != nil {
				return err
			}
			return printCodes(conn, sluice.Page[sluice.RedemptionCode]{Items: []sluice.RedemptionCode{code}})
		},
	}
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
