package app

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// newGatewaysCommand returns the command that shows how the gateways are.
func newGatewaysCommand(env cliEnv) *cobra.Command {
	c := connection{env: env}
	cmd := &cobra.Command{
		Use: "gateways", Short: "Show what each gateway serves, and how far its journal is written and booked", Args: cobra.NoArgs,
		Long: `Shows what every gateway last reported (GET /admin/v1/gateways); for platform
admins. LAST, SYNCED and SHIPPED are positions in its journal: the newest entry,
the last that survives the loss of power, and the last that the books have
confirmed. WAITING is the age of the oldest entry that they have not. All are
empty for a gateway that reports to another control process.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.dial()
			if err != nil {
				return err
			}
			list, err := api.Gateways(cmd.Context())
			if err != nil {
				return err
			}
			return printList(&c, gatewaysCLI, list)
		},
	}
	c.addServerFlags(cmd)
	cmd.Flags().StringVarP(&c.output, "output", "o", "table", "how to print: table, json or yaml")
	return cmd
}

// gatewaysCLI is how gateways are shown; they are reported, not administered.
var gatewaysCLI = cliKind[sluice.GatewayStatus]{columns: []column[sluice.GatewayStatus]{
	{"NAME", func(s *sluice.GatewayStatus) string { return s.Gateway }},
	{"HEALTH", func(s *sluice.GatewayStatus) string { return s.Health }},
	{"REVISION", func(s *sluice.GatewayStatus) string { return strconv.FormatUint(s.Revision, 10) }},
	{"ACTIVE", func(s *sluice.GatewayStatus) string { return strconv.FormatInt(s.Active, 10) }},
	ofJournal("LAST", func(j *sluice.JournalStatus) string { return j.Last }),
	ofJournal("SYNCED", func(j *sluice.JournalStatus) string { return j.Synced }),
	ofJournal("SHIPPED", func(j *sluice.JournalStatus) string { return j.Shipped }),
	ofJournal("WAITING", func(j *sluice.JournalStatus) string {
		return (time.Duration(j.WaitingMS) * time.Millisecond).String()
	}),
	ofJournal("BYTES", func(j *sluice.JournalStatus) string { return strconv.FormatInt(j.Bytes, 10) }),
	{"PROBLEM", func(s *sluice.GatewayStatus) string {
		if s.Journal != nil && s.Journal.Failing != "" {
			return s.Journal.Failing
		}
		return s.Reason
	}},
}}

// ofJournal is a column that is empty without a journal.
func ofJournal(head string, text func(*sluice.JournalStatus) string) column[sluice.GatewayStatus] {
	return column[sluice.GatewayStatus]{head, func(s *sluice.GatewayStatus) string {
		if s.Journal == nil {
			return ""
		}
		return text(s.Journal)
	}}
}
