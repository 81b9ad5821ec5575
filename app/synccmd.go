package app

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice/client"
)

// newSync returns the command that rebuilds what is published.
func newSync(env cliEnv) *cobra.Command {
	c := connection{env: env}
	var force bool
	cmd := &cobra.Command{
		Use: "sync", Short: "Publish the configuration anew and rebuild all of it in Redis", Args: cobra.NoArgs,
		Long: `Asks the control plane to write everything in Redis anew (POST /sync/snapshot)
and tells its progress. Gateways serve on meanwhile: changes publish by
themselves, this is for repair.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.dial()
			if err != nil {
				return err
			}
			revision, err := api.SyncSnapshot(cmd.Context(), force, func(p client.SyncProgress) {
				fmt.Fprintf(env.Stderr, "  · %s %s\n", p.Step, doneOf(p))
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "published revision %d\n", revision)
			return err
		},
	}
	c.addServerFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "publish under a new revision that every gateway takes: far fewer keys or providers are meant, or the database was restored")
	strictUsage(cmd)
	return cmd
}

// doneOf shows progress, with the total where it is known.
func doneOf(p client.SyncProgress) string {
	if p.Total == 0 {
		return fmt.Sprint(p.Done)
	}
	return fmt.Sprintf("%d/%d", p.Done, p.Total)
}
