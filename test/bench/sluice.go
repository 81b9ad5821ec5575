package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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

// sluicePeer is the product as it ships: one process with all planes, key
// authentication, limits and records on. It is built once per run.
func sluicePeer(dir string) (peer, error) {
	binary := filepath.Join(dir, "sluice")
	build := exec.Command("go", "build", "-o", binary, "github.com/sluicegate/sluice/cmd/sluice")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return peer{}, fmt.Errorf("building sluice: %w", err)
	}
	p := peer{name: "sluice", version: "this tree, serve --dev"}
	p.begin = func(dir, mock, addr string, core int) (*process, string, error) {
		return beginSluice(binary, dir, mock, addr, core)
	}
	return p, nil
}

// beginSluice starts the process and configures it through its API, as an
// operator would.
func beginSluice(binary, dir, mock, addr string, core int) (*process, string, error) {
	control, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	status, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	proc, err := start(core, []string{
		"SLUICE_GATEWAY_ADDR=" + addr, "SLUICE_CONTROL_ADDR=" + control, "SLUICE_STATUS_ADDR=" + status, "EZ_LOG_LEVEL=error",
	}, binary, "serve", "--dev", "--data-dir", filepath.Join(dir, "data"))
	if err != nil {
		return nil, "", err
	}
	key, err := configure(proc, "http://"+control, mock)
	if err != nil {
		proc.stop()
		return nil, "", fmt.Errorf("configuring sluice: %w", err)
	}
	go io.Copy(io.Discard, proc.out) // ends with the process
	return proc, key, nil
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
	for _, name := range []string{"bench", "bench-slow"} {
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
