package app

import (
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

func newConfigCommand(p process) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check or show the configuration", Args: cobra.NoArgs}
	cmd.AddCommand(newConfigLint(p), newConfigShow(p))
	return cmd
}

// newConfigLint validates without starting anything or opening a file for
// writing.
func newConfigLint(p process) *cobra.Command {
	var file string
	var dev bool
	role := string(RoleServe)
	cmd := &cobra.Command{
		Use: "lint", Short: "Check the configuration without starting", Args: cobra.NoArgs,
		Long: "Reads the file and the environment as the process would and lists everything that is wrong.\nExits with 2 when something is.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]Role{RoleServe, RoleControl, RoleGateway}, Role(role)) {
				return sluice.Errorf(sluice.CodeConfig, "--role %q must be serve, control or gateway", role)
			}
			cfg, err := loadChecked(p, file, Role(role), dev)
			if cfg != nil {
				for _, w := range cfg.warnings {
					fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
				}
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the configuration is valid (%s)\n", fileOrNone(cfg.file))
			return err
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (default: $EZ_CONFIG_FILE, ./config.yaml, ./config/config.yaml)")
	cmd.Flags().BoolVar(&dev, "dev", false, "check for --dev, which makes its own secrets")
	cmd.Flags().StringVar(&role, "role", role, "the process to check for: serve, control or gateway")
	return cmd
}

func newConfigShow(p process) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "show", Short: "Show every setting, its value and where it comes from", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(sources{environ: p.environ, file: file})
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tVARIABLE\tVALUE\tFROM")
			for _, s := range settings() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.key, s.env, s.show(&cfg.Config), cfg.origin[s.key])
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file")
	return cmd
}

// loadChecked loads and checks in one go; every problem is in the error, which
// carries codes of the CONFIG family. The
// configuration is returned beside it for its warnings.
func loadChecked(p process, file string, role Role, dev bool) (*loaded, error) {
	cfg, err := load(sources{environ: p.environ, file: file})
	if cfg == nil || err != nil {
		return cfg, err
	}
	if dev {
		cfg.useDev(cfg.isSet)
	}
	if problems := cfg.Check(role, dev); len(problems) > 0 {
		return cfg, errors.Join(problems...)
	}
	return cfg, nil
}

func fileOrNone(file string) string {
	if file == "" {
		return "no file"
	}
	return file
}
