package app

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

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
