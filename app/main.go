package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// process is what a command may use of its process.
type process struct {
	args    []string
	environ []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	extra   []plugin.Spec
}

// getenv looks a variable up as os.Getenv does.
func (p process) getenv(name string) string {
	for _, entry := range p.environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// Main runs the command line and ends the process. The built-in plugins are
// always there; extra adds those of the caller, whose names must be new.
func Main(extra ...plugin.Spec) {
	ctx, stop := interruptible()
	defer stop()
	os.Exit(run(ctx, process{
		args: os.Args[1:], environ: os.Environ(),
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, extra: extra,
	}))
}

// interruptible returns a context that SIGINT and SIGTERM end. The signals get
// their ordinary effect back at once, so that a second one exits immediately.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// run executes one command and returns the exit status: 0, 1 for an error, 2
// for a wrong command line or configuration.
func run(ctx context.Context, p process) int {
	root := newRoot(p)
	root.SetArgs(p.args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	printError(p.stderr, err)
	if sluice.CodeOf(err) == sluice.CodeConfig {
		return 2
	}
	return 1
}

// printError shows an error with its cause: whoever runs the command is the
// operator. Joined errors come one to a line.
func printError(w io.Writer, err error) {
	// Only at the top: a driver may have joined causes of its own below an error
	// of ours, which says more.
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			printError(w, e)
		}
		return
	}
	var e *sluice.Error
	if !errors.As(err, &e) {
		fmt.Fprintf(w, "sluice: %v\n", redactError(err))
		return
	}
	fmt.Fprintf(w, "sluice: %s\n", redact(e.Error()))
	if e.Field != "" {
		fmt.Fprintf(w, "        at %s\n", e.Field)
	}
}

// newRoot builds the command tree.
func newRoot(p process) *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "An API gateway and an LLM gateway in one binary",
		Long:          "Sluice serves LLM APIs and plain services through one pipeline, with keys, limits and usage records.\n\nStart with `sluice serve --dev`.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newServe(p), newControl(p), newGateway(p), newMigrate(p), newLedger(p), newConfigCommand(p), newErrors(), newVersion())
	env := cliEnv{Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Getenv: p.getenv}
	root.AddCommand(newSync(env))
	root.AddCommand(newResourceCommands(env)...)
	strictUsage(root)
	return root
}
