package app

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// RunCLI runs one of the administration commands and prints its error as the
// program would.
func RunCLI(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string, args []string) error {
	root := &cobra.Command{Use: "sluice", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(newResourceCommands(cliEnv{Stdin: stdin, Stdout: stdout, Stderr: stderr, Getenv: getenv})...)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		printError(stderr, err)
	}
	return err
}
