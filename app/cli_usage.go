package app

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// strictUsage makes every mistake in the command line below cmd an error with
// [sluice.CodeConfig], which ends the process with status 2: cobra's own errors
// cannot be told from those of the work, and it answers an unknown verb with
// the help text and success.
func strictUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(usageError)
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error { return usageError(cmd, check(cmd, args)) }
	}
	if !cmd.Runnable() && cmd.HasSubCommands() {
		cmd.RunE = needsVerb
	}
	for _, sub := range cmd.Commands() {
		strictUsage(sub)
	}
}

// usageError says what is wrong and where to read more; nil stays nil.
func usageError(cmd *cobra.Command, err error) error {
	if err == nil || sluice.CodeOf(err) == sluice.CodeConfig { // a command may be checked twice
		return err
	}
	return sluice.Errorf(sluice.CodeConfig, "%v; see `%s --help`", err, cmd.CommandPath())
}

// needsVerb runs a command that only holds others.
func needsVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2 // edits between what was typed and what was meant
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = ", did you mean " + strings.Join(near, " or ") + "?"
	}
	return sluice.Errorf(sluice.CodeConfig, "%q is not a command of `%s`%s", args[0], cmd.CommandPath(), hint)
}
