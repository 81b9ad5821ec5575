package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// What --dev seeds.
const (
	demoTenant   = "demo"
	demoUser     = "demo"
	demoProvider = "demo"
	demoChat     = "demo-chat"
	demoEmbed    = "demo-embed"
	demoKeyLife  = 24 * time.Hour
	demoKeyLabel = "Demo key of `sluice serve --dev`, valid for 24 hours."
	maxDemoKeys  = 500
)

// seedDemo makes sure that the demo provider, its models and its tenant exist,
// and mints the key of this start. What exists is left as its owner changed it.
func (c *controlRole) seedDemo(ctx context.Context) (err error) {
	if err := ensureDemo(ctx, c.control.As(control.System())); err != nil {
		return err
	}
	if err := c.seedMoney(ctx); err != nil {
		return fmt.Errorf("give the demo tenant something to spend: %w", err)
	}
	c.demoKey, err = mintDemoKey(ctx, c.control, time.Now())
	return err
}

// ensureDemo creates what is missing.
func ensureDemo(ctx context.Context, s *control.Session) error {
	platform := func(name, description string) sluice.Meta {
		return sluice.Meta{Name: name, Tenant: sluice.PlatformTenant, Description: description}
	}
	provider := sluice.Provider{Meta: platform(demoProvider, "Answers in process; no account needed."), Type: "demo", Models: []string{demoChat, demoEmbed},
		Settings: map[string]any{"delay_ms": 30}}
	chat := sluice.Model{Meta: platform(demoChat, "Chat model of the demo provider."), ContextWindow: 32_768, MaxOutputTokens: 4_096,
		SupportsFunctions: new(true), SupportsToolChoice: new(true), Operations: []string{"chat", "completions"}}
	embed := sluice.Model{Meta: platform(demoEmbed, "Embedding model of the demo provider."), ContextWindow: 8_192, Operations: []string{"embeddings"}}
	tenant := sluice.Tenant{Meta: sluice.Meta{Name: demoTenant, Description: "Owns the demo keys."}}
	user := sluice.User{Meta: sluice.Meta{Name: demoUser, Tenant: demoTenant, Description: "Owns the demo keys; has no password."}, Email: "demo@demo.invalid"}

	return firstError(
		func() error { return ensure(ctx, s.Providers(), provider, provider.Meta) },
		func() error { return ensure(ctx, s.Models(), chat, chat.Meta) },
		func() error { return ensure(ctx, s.Models(), embed, embed.Meta) },
		func() error { return ensure(ctx, s.Tenants(), tenant, tenant.Meta) },
		func() error { return ensure(ctx, s.Users(), user, user.Meta) },
	)
}

// ensure creates an object unless one of its name exists.
func ensure[T any](ctx context.Context, all control.Collection[T], obj T, m sluice.Meta) error {
	_, _, err := all.Put(ctx, m.Tenant, m.Name, obj, sluice.WriteOptions{IfNoneMatch: true})
	if sluice.CodeOf(err) == sluice.CodePrecondition {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", m.Name, err)
	}
	return nil
}

// firstError runs the steps in order until one fails.
func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// mintDemoKey creates a key for this start and deletes those that have expired,
// so that starting every day leaves nothing behind.
func mintDemoKey(ctx context.Context, c *control.Control, now time.Time) (token string, err error) {
	keys := c.As(control.System()).Keys()
	page, err := keys.List(ctx, sluice.ListQuery{Tenant: demoTenant, Limit: maxDemoKeys})
	if err != nil {
		return "", fmt.Errorf("list demo keys: %w", err)
	}
	for _, k := range page.Items {
		if k.Description == demoKeyLabel && !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(now) {
			if err := keys.Delete(ctx, demoTenant, k.Name, sluice.WriteOptions{}); err != nil {
				return "", fmt.Errorf("delete expired demo key %s: %w", k.Name, err)
			}
		}
	}
	key, err := keys.Create(ctx, sluice.Key{
		Meta: sluice.Meta{Tenant: demoTenant, Description: demoKeyLabel}, User: demoUser, ExpiresAt: now.Add(demoKeyLife),
	}, sluice.WriteOptions{})
	if err != nil {
		return "", fmt.Errorf("mint a demo key: %w", err)
	}
	return key.Token, nil
}

// announce prints what a person needs first. Without --dev that is the set-up
// link alone, and only while nobody can sign in.
func (n *node) announce(ctx context.Context, w io.Writer, took time.Duration) error {
	if n.control == nil {
		return nil
	}
	link, err := n.control.setupLink(ctx)
	if err != nil {
		return err
	}
	if !n.dev {
		if link != "" {
			fmt.Fprintf(w, "Create the first admin (this link works once and expires in an hour):\n%s\n", link)
		}
		return nil
	}
	fmt.Fprintf(w, "\nSluice is ready after %.1f s.\n\n", took.Seconds())
	fmt.Fprintf(w, "  gateway  %s\n  control  %s  (API documentation: /docs)\n  status   %s/metrics\n", n.gatewayURL(), n.url("control"), n.url("status"))
	if link != "" {
		fmt.Fprintf(w, "\nCreate the first admin (this link works once and expires in an hour):\n\n  %s\n", link)
	}
	fmt.Fprintf(w, "\nTry it (the key is valid for 24 hours):\n\n  %s\n\n", curlLine(n.gatewayURL(), n.control.demoKey))
	return nil
}

// setupLink mints the one-time link while no platform admin exists; otherwise
// it is empty.
func (c *controlRole) setupLink(ctx context.Context) (string, error) {
	needed, err := c.control.NeedsSetup(ctx)
	if err != nil || !needed {
		return "", err
	}
	token, err := c.control.NewSetupToken(ctx)
	if err != nil {
		return "", fmt.Errorf("mint a set-up token: %w", err)
	}
	return cmp.Or(strings.TrimSuffix(c.PublicURL, "/"), c.url("control")) + "/setup?token=" + token, nil
}

// gatewayURL is where clients find a gateway: the one of this process, or where
// one of another process listens unless it was told otherwise.
func (h *host) gatewayURL() string {
	if h.listeners["gateway"] != nil {
		return h.url("gateway")
	}
	return "http://" + h.GatewayAddr
}

// url is how a person on this machine reaches a listener.
func (h *host) url(name string) string {
	scheme := "http://"
	if name == "gateway" && h.GatewayTLSCert != "" {
		scheme = "https://"
	}
	address, port, err := dialable(h.listeners[name].Addr())
	if err != nil {
		return scheme + h.listeners[name].Addr().String()
	}
	return scheme + net.JoinHostPort(address, strconv.Itoa(port))
}

// curlLine is one line that streams an answer as it is pasted into a shell.
func curlLine(gateway, token string) string {
	return fmt.Sprintf(`curl -N %s/v1/chat/completions -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"model":"%s","stream":true,"messages":[{"role":"user","content":"Hello"}]}'`,
		gateway, token, demoChat)
}
