package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// printBalances shows wallets, their grants and caps.
func printBalances(conn *connection, b sluice.Balances) error {
	if conn.output != "table" {
		return printValue(conn, b)
	}
	if len(b.Wallets) == 0 {
		fmt.Fprintln(conn.env.Stdout, "no wallet yet: a top-up, a grant or the first request opens it")
	}
	if len(b.Wallets) > 0 {
		rows := [][]string{{"WALLET", "AVAILABLE", "POSTED", "HELD", "OWED", "SPENDING", "CREDIT"}}
		for _, w := range b.Wallets {
			available, credit := "unlimited", "unlimited"
			if w.Available != nil {
				available, credit = w.Available.String()+" "+w.Asset, w.CreditLimit.String()
			}
			rows = append(rows, []string{string(w.Account), available, w.Posted.String(), w.Held.String(), w.Owed.String(), w.Spending, credit})
		}
		if err := printRows(conn, rows, ""); err != nil {
			return err
		}
	}
	grants := [][]string{{"GRANT", "LEFT", "HELD", "EXPIRES"}}
	for _, w := range b.Wallets {
		for _, g := range w.Grants {
			grants = append(grants, []string{string(g.Account), g.Left.String() + " " + w.Asset, g.Held.String(), expiry(g.ExpiresAt)})
		}
	}
	caps := [][]string{{"KEY", "PERIOD", "USED", "HELD", "LIMIT"}}
	for _, c := range b.Caps {
		caps = append(caps, []string{c.Key, c.Period, c.Used.String(), c.Held.String(), c.Limit.Amount.String() + " " + c.Limit.Asset})
	}
	for _, rows := range [][][]string{grants, caps} {
		if len(rows) == 1 {
			continue
		}
		fmt.Fprintln(conn.env.Stdout)
		if err := printRows(conn, rows, ""); err != nil {
			return err
		}
	}
	return nil
}

func expiry(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

// printUsage shows a report of usage.
func printUsage(conn *connection, q sluice.BilledUsageQuery, items []sluice.UsageRow) error {
	if conn.output != "table" {
		return printValue(conn, map[string]any{"items": items})
	}
	dimensions := q.GroupBy
	if q.Bucket != "" {
		dimensions = append([]string{q.Bucket}, dimensions...)
	}
	var head []string
	for _, d := range dimensions {
		head = append(head, strings.ToUpper(d))
	}
	rows := [][]string{append(head, "REQUESTS", "ERRORS", "TOKENS", "COST")}
	for _, r := range items {
		var row, costs []string
		for _, d := range dimensions {
			row = append(row, r.Group[d])
		}
		for _, c := range r.Cost {
			costs = append(costs, c.Amount.String()+" "+c.Asset)
		}
		rows = append(rows, append(row, strconv.FormatInt(r.Requests, 10), strconv.FormatInt(r.Errors, 10),
			strconv.FormatInt(r.Usage.Total(), 10), strings.Join(costs, ", ")))
	}
	return printRows(conn, rows, "")
}

// printStatement shows transfers.
func printStatement(conn *connection, page sluice.Page[sluice.StatementLine]) error {
	if conn.output != "table" {
		return printValue(conn, page)
	}
	rows := [][]string{{"BOOKED", "CODE", "ACCOUNT", "POSTED", "HELD", "BELONGS TO", "NOTE"}}
	for _, l := range page.Items {
		belongs := l.Payment
		if belongs == "" && !l.Request.IsZero() {
			belongs = l.Request.String()
		}
		rows = append(rows, []string{l.BookedAt.UTC().Format(time.RFC3339), string(l.Code), string(l.Account), signed(l.Posted), signed(l.Held), belongs, l.Note})
	}
	return printRows(conn, rows, page.Next)
}

// signed shows a movement; none is empty.
func signed(n sluice.Nanos) string {
	switch {
	case n == 0:
		return ""
	case n > 0:
		return "+" + n.String()
	}
	return n.String()
}

// printPayments lists payments.
func printPayments(conn *connection, page sluice.Page[sluice.Payment]) error {
	if conn.output != "table" {
		return printValue(conn, page)
	}
	rows := [][]string{{"ID", "KIND", "AMOUNT", "WALLET", "CREATED", "BY", "NOTE"}}
	for i := range page.Items {
		p := &page.Items[i]
		rows = append(rows, []string{p.ID, string(p.Kind), p.Amount.String() + " " + p.Asset, string(p.Wallet), p.CreatedAt.UTC().Format(time.RFC3339), p.By, p.Note})
	}
	return printRows(conn, rows, page.Next)
}

// printPaid tells what was paid, or that it was paid before.
func printPaid(conn *connection, p sluice.Payment, created, dryRun bool, err error) error {
	if err != nil {
		return err
	}
	if conn.output != "table" {
		return printValue(conn, p)
	}
	done := "made"
	if !created {
		done = "was made before"
	}
	fmt.Fprintf(conn.env.Stdout, "%s %s of %s %s, wallet %s: %s%s\n", p.Kind, p.ID, p.Amount, p.Asset, p.Wallet, done, trial(dryRun))
	return nil
}

// printCodes lists redemption codes; the plaintext, where there is one, is shown
// this once.
func printCodes(conn *connection, page sluice.Page[sluice.RedemptionCode]) error {
	if conn.output != "table" {
		return printValue(conn, page)
	}
	rows := [][]string{{"NUMBER", "ORDER", "CODE", "AMOUNT", "STATUS", "EXPIRES", "REDEEMED BY", "NOTE"}}
	for i := range page.Items {
		c := &page.Items[i]
		shown := c.Code
		if shown == "" {
			shown = c.Prefix + "…"
		}
		rows = append(rows, []string{strconv.FormatUint(c.ID, 10), strconv.FormatUint(c.Order, 10), shown, c.Amount.String() + " " + c.Asset,
			c.Status, expiry(c.ExpiresAt), c.RedeemedBy, c.Note})
	}
	return printRows(conn, rows, page.Next)
}
