package app

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// newErrors explains codes without a browser: `sluice errors ROUTER_001`.
func newErrors() *cobra.Command {
	return &cobra.Command{
		Use: "errors [code]", Short: "List the error codes, or explain one", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return explainCode(cmd, sluice.Code(strings.ToUpper(args[0])))
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, row := range sluice.Codes() {
				fmt.Fprintf(w, "%s\t%d\t%s\n", row.Code, row.Status, row.English)
			}
			return w.Flush()
		},
	}
}

func explainCode(cmd *cobra.Command, code sluice.Code) error {
	row := sluice.CodeInfo(code)
	if row.Code != code {
		return sluice.Errorf(sluice.CodeNotFound, "there is no code %q; `sluice errors` lists them", code)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s (HTTP %d, retryable: %t)\n%s\n%s\n%s\n", row.Code, row.Status, row.Retryable, row.English, row.Chinese, row.Remedy)
	return err
}
