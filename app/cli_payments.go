package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

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

// pay makes the payment by one of the client's methods and shows it.
func (f *paymentFlags) pay(cmd *cobra.Command, conn *connection, p sluice.Payment, by payFunc) error {
	c, err := conn.dial()
	if err != nil {
		return err
	}
	out, created, err := by(c, cmd.Context(), p, sluice.WriteOptions{DryRun: f.dryRun})
	return printPaid(conn, out, created, f.dryRun, err)
}

// payFunc is a method of the client that makes a payment.
type payFunc func(c *client.Client, ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error)

func newBillingTopUp(conn *connection) *cobra.Command {
	var flags paymentFlags
	cmd := &cobra.Command{
		Use: "top-up <amount>", Short: "Credit a wallet with money that was received", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := flags.payment(conn, args[0])
			if err != nil {
				return err
			}
			return flags.pay(cmd, conn, p, (*client.Client).TopUp)
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
			return flags.pay(cmd, conn, p, (*client.Client).Grant)
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
			return flags.pay(cmd, conn, p, (*client.Client).Adjust)
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
			return flags.pay(cmd, conn, p, (*client.Client).Adjust)
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
			return flags.pay(cmd, conn, p, (*client.Client).Refund)
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
