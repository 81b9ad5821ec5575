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
	folder, k := filepath.Join(dir, "data"), keys{}
	p.prepare = func(mock string) (err error) {
		k, err = configureFolder(binary, folder, mock)
		return err
	}
	p.begin = func(dir, _, addr string, core int) (*process, keys, error) {
		data := filepath.Join(dir, "data")
		if err := copyPrivate(data, folder); err != nil {
			return nil, keys{}, err
		}
		proc, _, err := serveSluice(binary, data, addr, core)
		if err != nil {
			return nil, keys{}, err
		}
		go io.Copy(io.Discard, proc.out) // ends with the process
		return proc, k, nil
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
func configureFolder(binary, folder, mock string) (keys, error) {
	addr, err := freeAddr()
	if err != nil {
		return keys{}, err
	}
	proc, control, err := serveSluice(binary, folder, addr, 0)
	if err != nil {
		return keys{}, err
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

// keys are what requests are sent with, by the terms of payment of who owns them.
type keys struct {
	// trusted belongs to a tenant that is billed without a limit.
	trusted string
	// limited belongs to one whose credit ends somewhere: every request waits for
	// a hold and for the disk.
	limited string
}

// of is the key that a workload wants.
func (k keys) of(w workload) string {
	if w.Limited {
		return k.limited
	}
	return k.trusted
}

// configure creates the admin, and as the admin all that is measured.
func configure(proc *process, control, mock string) (k keys, err error) {
	token, err := setupToken(proc)
	if err != nil {
		return k, err
	}
	form := url.Values{"token": {token}, "email": {adminEmail}, "password": {adminPassword}, "repeat": {adminPassword}}
	resp, err := http.PostForm(control+"/setup", form)
	if err != nil {
		return k, err
	}
	page, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	resp.Body.Close()
	if resp.StatusCode >= 400 {
		return k, fmt.Errorf("set-up form: %s: %s", resp.Status, page)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.New(client.Config{BaseURL: control, Email: adminEmail, Password: adminPassword})
	if err != nil {
		return k, err
	}
	if err := create(ctx, c, mock); err != nil {
		return k, err
	}
	if k, err = createKeys(ctx, c); err != nil {
		return k, err
	}
	time.Sleep(time.Second) // until the gateway has the change
	return k, nil
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

// platform names an object that everybody uses.
func platform(name string) sluice.Meta { return sluice.Meta{Name: name, Tenant: sluice.PlatformTenant} }

// create makes what the workloads need: providers, models with prices, and a
// plain route.
func create(ctx context.Context, c *client.Client, mock string) error {
	opts := sluice.WriteOptions{}
	if _, err := c.Providers().Create(ctx, sluice.Provider{
		Meta: platform("bench"), Type: "openai-compatible", BaseURL: "http://" + mock + "/v1", APIKey: "none", Models: []string{"bench", "bench-slow"},
	}, opts); err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	if _, err := c.Providers().Create(ctx, sluice.Provider{
		Meta: platform("translated"), Type: "anthropic", BaseURL: "http://" + mock, APIKey: "none", Models: []string{"claude", "claude-slow"},
	}, opts); err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	for _, name := range []string{"bench", "bench-slow", "claude", "claude-slow"} {
		if _, err := c.Models().Create(ctx, sluice.Model{Meta: platform(name)}, opts); err != nil {
			return fmt.Errorf("model: %w", err)
		}
		if _, err := c.CreatePrice(ctx, benchPrice(name), false); err != nil {
			return fmt.Errorf("price: %w", err)
		}
	}
	host, port, _ := strings.Cut(mock, ":")
	node := sluice.Node{Host: host}
	if _, err := fmt.Sscan(port, &node.Port); err != nil {
		return err
	}
	if _, err := c.Upstreams().Create(ctx, sluice.Upstream{Meta: platform("bench"), Nodes: []sluice.Node{node}}, opts); err != nil {
		return fmt.Errorf("upstream: %w", err)
	}
	if _, err := c.Routes().Create(ctx, sluice.Route{Meta: platform("bench"), Paths: []string{"/plain"}, Upstream: "bench",
		Plugins: map[string]json.RawMessage{}}, opts); err != nil {
		return fmt.Errorf("route: %w", err)
	}
	return nil
}
