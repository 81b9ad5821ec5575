package app

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

// defaultServer is where `serve` listens for administration.
const defaultServer = "http://127.0.0.1:8081"

// cliEnv is all that the administration commands use of their process.
type cliEnv struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
}

// newResourceCommands returns the commands that administer a running Sluice
// over its API: one for each kind of object, login and logout.
func newResourceCommands(env cliEnv) []*cobra.Command {
	commands := []*cobra.Command{
		newLogin(env), newLogout(env),
		newKindCommand(env, tenantsCLI), newKindCommand(env, usersCLI), newKindCommand(env, rolesCLI),
		newKindCommand(env, providersCLI), newKindCommand(env, modelsCLI), newCatalogCommand(env), newPricesCommand(env), newBillingCommand(env), newKeysCommand(env),
		newKindCommand(env, groupsCLI), newKindCommand(env, routesCLI), newKindCommand(env, upstreamsCLI), newGatewaysCommand(env),
	}
	for _, cmd := range commands {
		strictUsage(cmd)
	}
	return commands
}

// connection is what the flags say about the server and the output.
type connection struct {
	env                           cliEnv
	server, token, tenant, output string
}

// addServerFlags adds the flags that say which server to talk to.
func (c *connection) addServerFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&c.server, "server", "", "address of the control plane (SLUICE_SERVER; default "+defaultServer+")")
	cmd.PersistentFlags().StringVar(&c.token, "token", "", "access `token` (SLUICE_TOKEN; default what the last login stored)")
}

// addFlags adds the flags that every resource command shares.
func (c *connection) addFlags(cmd *cobra.Command) {
	c.addServerFlags(cmd)
	cmd.PersistentFlags().StringVar(&c.tenant, "tenant", "", "the owning tenant; your own when empty")
	cmd.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "how to print: table, json or yaml")
}

// address is the server to talk to: flag, environment, default.
func (c *connection) address() string {
	for _, candidate := range []string{c.server, c.env.Getenv("SLUICE_SERVER")} {
		if candidate != "" {
			return candidate
		}
	}
	return defaultServer
}

// dial returns a client with the credential of the flag, the environment or the
// last login, which it keeps up to date.
func (c *connection) dial() (*client.Client, error) {
	cfg := client.Config{BaseURL: c.address(), Token: c.token, UserAgent: "sluice-cli"}
	if cfg.Token == "" {
		cfg.Token = c.env.Getenv("SLUICE_TOKEN")
	}
	if cfg.Token == "" {
		file, err := credentialsFile(c.env.Getenv)
		if err != nil {
			return nil, err
		}
		stored, err := file.read()
		if err != nil {
			return nil, err
		}
		entry := stored[c.address()]
		if entry.AccessToken == "" {
			return nil, sluice.Errorf(sluice.CodeUnauthorized, "not signed in at %s: run `sluice login`, or set SLUICE_TOKEN", c.address())
		}
		cfg.Token, cfg.RefreshToken = entry.AccessToken, entry.RefreshToken
		cfg.OnTokens = func(t sluice.Tokens) { c.keep(file, t) }
	}
	return client.New(cfg)
}

// keep stores renewed tokens. A failure costs a login later, so it is told and
// does not stop the command.
func (c *connection) keep(file tokenFile, t sluice.Tokens) {
	if err := file.store(c.address(), t); err != nil {
		printError(c.env.Stderr, err)
	}
}

// pageSize is how many objects `list` asks for at once.
const pageSize = 200

// listAll follows the pages of a list up to limit objects; more reports whether
// there are others.
func listAll[T any](ctx context.Context, l client.Collection[T], q sluice.ListQuery, limit int) (items []T, more bool, err error) {
	items = []T{}
	for {
		q.Limit = min(pageSize, limit-len(items))
		page, err := l.List(ctx, q)
		if err != nil {
			return nil, false, err
		}
		items = append(items, page.Items...)
		if page.Next == "" || len(items) >= limit {
			return items, page.Next != "", nil
		}
		q.Cursor = page.Next
	}
}
