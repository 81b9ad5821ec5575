package app

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

// newLogin returns the command that signs in and keeps the tokens.
func newLogin(env cliEnv) *cobra.Command {
	conn := &connection{env: env}
	var email string
	cmd := &cobra.Command{
		Use: "login", Short: "Sign in and keep the tokens for later commands", Args: cobra.NoArgs,
		Long: "Asks for email and password, or takes them from SLUICE_EMAIL and SLUICE_PASSWORD, and stores the tokens, readable by you alone.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := asker{env: env, lines: bufio.NewReader(env.Stdin)}
			email, err := ask.value("Email: ", email, "SLUICE_EMAIL", false)
			if err != nil {
				return err
			}
			password, err := ask.value("Password: ", "", "SLUICE_PASSWORD", true)
			if err != nil {
				return err
			}
			c, err := client.New(client.Config{BaseURL: conn.address(), UserAgent: "sluice-cli"})
			if err != nil {
				return err
			}
			tokens, err := c.SignIn(cmd.Context(), email, password)
			if err != nil {
				return err
			}
			file, err := credentialsFile(env.Getenv)
			if err != nil {
				return err
			}
			if err := file.store(conn.address(), tokens); err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "signed in at %s as %s\n", conn.address(), email)
			return nil
		},
	}
	conn.addServerFlags(cmd)
	cmd.Flags().StringVar(&email, "email", "", "sign-in name (SLUICE_EMAIL)")
	return cmd
}

// newLogout returns the command that revokes and forgets the tokens.
func newLogout(env cliEnv) *cobra.Command {
	conn := &connection{env: env}
	cmd := &cobra.Command{
		Use: "logout", Short: "Revoke and forget the tokens of the last login", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			if err := c.SignOut(cmd.Context()); err != nil {
				return err
			}
			file, err := credentialsFile(env.Getenv)
			if err != nil {
				return err
			}
			return file.store(conn.address(), sluice.Tokens{})
		},
	}
	conn.addServerFlags(cmd)
	return cmd
}

// asker finds out what a person has to say: by flag, environment or question.
type asker struct {
	env   cliEnv
	lines *bufio.Reader
}

func (a asker) value(question, given, variable string, secret bool) (string, error) {
	if given != "" {
		return given, nil
	}
	if v := a.env.Getenv(variable); v != "" {
		return v, nil
	}
	fmt.Fprint(a.env.Stderr, question)
	if terminal, ok := a.env.Stdin.(*os.File); ok && secret && term.IsTerminal(int(terminal.Fd())) {
		text, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(a.env.Stderr)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return string(text), nil
	}
	line, err := a.lines.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", sluice.Errorf(sluice.CodeConfig, "%s is needed: set %s, or answer the question", strings.TrimSuffix(question, ": "), variable)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// tokenFile is where the tokens of each server are kept.
type tokenFile string

// credentialsFile finds the file: SLUICE_CREDENTIALS, else in the user's
// configuration directory (XDG Base Directory Specification).
func credentialsFile(getenv func(string) string) (tokenFile, error) {
	if path := getenv("SLUICE_CREDENTIALS"); path != "" {
		return tokenFile(path), nil
	}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return tokenFile(filepath.Join(dir, "sluice", "credentials.json")), nil
	}
	if home := getenv("HOME"); home != "" {
		return tokenFile(filepath.Join(home, ".config", "sluice", "credentials.json")), nil
	}
	return "", sluice.Errorf(sluice.CodeConfig, "no place to keep tokens: set HOME or SLUICE_CREDENTIALS")
}

// read returns the tokens by server; no file means none.
func (f tokenFile) read() (map[string]sluice.Tokens, error) {
	stored := map[string]sluice.Tokens{}
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return stored, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &stored)
	}
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "%s cannot be used; remove it and sign in again", f).Because(err)
	}
	return stored, nil
}

// store replaces a server's tokens; empty ones remove it. The file is replaced
// as a whole and readable by its owner alone.
func (f tokenFile) store(server string, t sluice.Tokens) error {
	stored, err := f.read()
	if err != nil {
		return err
	}
	stored[server] = t
	if t.AccessToken == "" {
		delete(stored, server)
	}
	text, err := json.MarshalIndent(stored, "", "  ")
	if err != nil {
		return fmt.Errorf("encode tokens: %w", err)
	}
	return f.replace(text)
}

func (f tokenFile) replace(text []byte) error {
	dir := filepath.Dir(string(f))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	temp, err := os.CreateTemp(dir, "credentials-*") // mode 0600
	if err != nil {
		return fmt.Errorf("store tokens: %w", err)
	}
	defer os.Remove(temp.Name()) // gone already when all went well
	_, err = temp.Write(text)
	if err = errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("store tokens: %w", err)
	}
	if err := os.Rename(temp.Name(), string(f)); err != nil {
		return fmt.Errorf("store tokens: %w", err)
	}
	return nil
}
