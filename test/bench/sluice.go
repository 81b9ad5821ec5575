package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

// buildSluice builds the product once per run.
func buildSluice(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "sluice")
	build := exec.Command("go", "build", "-o", binary, "github.com/sluicegate/sluice/cmd/sluice")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("building sluice: %w", err)
	}
	return binary, nil
}

// sluicePeer is the product as it ships: one process with all planes, key
// authentication, limits and records on.
func sluicePeer(binary, dir string) peer {
	p := peer{name: "sluice", version: "this tree, serve --dev"}
	folder, key := filepath.Join(dir, "data"), ""
	p.prepare = func(mock string) (err error) {
		key, err = configureFolder(binary, folder, mock)
		return err
	}
	p.begin = func(dir, _, addr string, core int) (*process, string, error) {
		data := filepath.Join(dir, "data")
		if err := copyPrivate(data, folder); err != nil {
			return nil, "", err
		}
		proc, _, err := serveSluice(binary, data, addr, core)
		if err != nil {
			return nil, "", err
		}
		go io.Copy(io.Discard, proc.out) // ends with the process
		return proc, key, nil
	}
	return p
}

// copyPrivate copies a data folder; it holds the master key, which others must
// not be able to read.
func copyPrivate(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

// configureFolder configures the product through its API, as an operator would,
// and stops it. What is measured then starts from the folder it left, so that
// setting up, which hashes passwords in 19 MiB each, leaves no garbage in it.
func configureFolder(binary, folder, mock string) (key string, err error) {
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	proc, control, err := serveSluice(binary, folder, addr, 0)
	if err != nil {
		return "", err
	}
	defer proc.stop()
	return configure(proc, "http://"+control, mock)
}

// serveSluice starts the process on a data folder.
func serveSluice(binary, folder, addr string, core int) (proc *process, control string, err error) {
	if control, err = freeAddr(); err != nil {
		return nil, "", err
	}
	status, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	proc, err = start(core, []string{
		"SLUICE_GATEWAY_ADDR=" + addr, "SLUICE_CONTROL_ADDR=" + control, "SLUICE_STATUS_ADDR=" + status, "EZ_LOG_LEVEL=error",
	}, binary, "serve", "--dev", "--data-dir", folder)
	return proc, control, err
}

var setupLink = regexp.MustCompile(`/setup\?token=(\S+)`)

const (
	adminEmail    = "bench@bench.test"
	adminPassword = "bench-password-0123456789"
)

// configure creates the admin, a provider, models, a plain route and a key, and
// returns the key.
func configure(proc *process, control, mock string) (string, error) {
	token, err := setupToken(proc)
	if err != nil {
		return "", err
	}
	form := url.Values{"token": {token}, "email": {adminEmail}, "password": {adminPassword}, "repeat": {adminPassword}}
	resp, err := http.PostForm(control+"/setup", form)
	if err != nil {
		return "", err
	}
	page, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	resp.Body.Close()
	if resp.StatusCode >= 400 {
		return "", fmt.Errorf("set-up form: %s: %s", resp.Status, page)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.New(client.Config{BaseURL: control, Email: adminEmail, Password: adminPassword})
	if err != nil {
		return "", err
	}
	key, err := create(ctx, c, mock)
	if err != nil {
		return "", err
	}
	time.Sleep(time.Second) // until the gateway has the change
	return key, nil
}

func setupToken(proc *process) (string, error) {
	for {
		line, err := proc.line()
		if err != nil {
			return "", fmt.Errorf("no set-up link: %w", err)
		}
		if m := setupLink.FindStringSubmatch(line); m != nil {
			return m[1], nil
		}
	}
}

// create makes what the workloads need. The limits are on, and too high to be
// reached.
func create(ctx context.Context, c *client.Client, mock string) (string, error) {
	platform := func(name string) sluice.Meta { return sluice.Meta{Name: name, Tenant: sluice.PlatformTenant} }
	opts := sluice.WriteOptions{}
	if _, err := c.Providers().Create(ctx, sluice.Provider{
		Meta: platform("bench"), Type: "openai-compatible", BaseURL: "http://" + mock + "/v1", APIKey: "none", Models: []string{"bench", "bench-slow"},
	}, opts); err != nil {
		return "", fmt.Errorf("provider: %w", err)
	}
	if _, err := c.Providers().Create(ctx, sluice.Provider{
		Meta: platform("translated"), Type: "anthropic", BaseURL: "http://" + mock, APIKey: "none", Models: []string{"claude", "claude-slow"},
	}, opts); err != nil {
		return "", fmt.Errorf("provider: %w", err)
	}
	for _, name := range []string{"bench", "bench-slow", "claude", "claude-slow"} {
		if _, err := c.Models().Create(ctx, sluice.Model{Meta: platform(name)}, opts); err != nil {
			return "", fmt.Errorf("model: %w", err)
		}
	}
	host, port, _ := strings.Cut(mock, ":")
	node := sluice.Node{Host: host}
	if _, err := fmt.Sscan(port, &node.Port); err != nil {
		return "", err
	}
	if _, err := c.Upstreams().Create(ctx, sluice.Upstream{Meta: platform("bench"), Nodes: []sluice.Node{node}}, opts); err != nil {
		return "", fmt.Errorf("upstream: %w", err)
	}
	if _, err := c.Routes().Create(ctx, sluice.Route{Meta: platform("bench"), Paths: []string{"/plain"}, Upstream: "bench",
		Plugins: map[string]json.RawMessage{}}, opts); err != nil {
		return "", fmt.Errorf("route: %w", err)
	}
	key, err := c.Keys().Create(ctx, sluice.Key{Meta: sluice.Meta{Tenant: "demo"}, User: "demo",
		RPM: new(int64(1_000_000_000)), TPM: new(int64(1_000_000_000_000))}, opts)
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	return key.Token, nil
}
