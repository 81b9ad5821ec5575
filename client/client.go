package client

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

// Config configures a [Client]. It needs BaseURL and one way to authenticate:
// Token, RefreshToken, or Email and Password; without any, only operations that
// need no credential work.
type Config struct {
	// BaseURL is the root of the control listener; required.
	BaseURL string
	// Token is an access token. It is used as long as the server accepts it.
	Token string
	// RefreshToken buys access tokens once Token is missing or refused.
	RefreshToken string
	// Email and Password sign in when there is no token that works.
	Email, Password string
	// OnTokens is told of every new pair, so that it can be kept: a refresh
	// token works once. It is called by one goroutine at a time; nil ignores.
	OnTokens func(sluice.Tokens)
	// HTTPClient carries the requests; nil means one with a timeout of a minute.
	HTTPClient *http.Client
	// UserAgent names the program; empty means "sluice-client".
	UserAgent string
	// MaxRetryWait bounds one wait before a retry; 0 means 5 seconds. An answer
	// that asks for a longer one is returned as the error it is.
	MaxRetryWait time.Duration
}

// Client is a session with a control plane. It is safe for concurrent use and
// starts no goroutines.
type Client struct {
	cfg  Config
	base *url.URL

	mu     sync.Mutex // guards tokens
	tokens sluice.Tokens
}

// New checks cfg and returns a Client; it sends nothing yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(cfg.BaseURL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, sluice.Errorf(sluice.CodeConfig, "the server %q must be an address such as http://127.0.0.1:8081", cfg.BaseURL)
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{Timeout: time.Minute}
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "sluice-client"
	}
	if cfg.MaxRetryWait == 0 {
		cfg.MaxRetryWait = 5 * time.Second
	}
	return &Client{cfg: cfg, base: base, tokens: sluice.Tokens{AccessToken: cfg.Token, RefreshToken: cfg.RefreshToken}}, nil
}

// Tenants returns the tenants; only platform admins may write them.
func (c *Client) Tenants() Collection[sluice.Tenant] { return Collection[sluice.Tenant]{c} }

// Users returns the users.
func (c *Client) Users() Collection[sluice.User] { return Collection[sluice.User]{c} }

// Roles returns the roles, built-in ones included.
func (c *Client) Roles() Collection[sluice.Role] { return Collection[sluice.Role]{c} }

// Keys returns the keys.
func (c *Client) Keys() Collection[sluice.Key] { return Collection[sluice.Key]{c} }

// Groups returns the groups.
func (c *Client) Groups() Collection[sluice.Group] { return Collection[sluice.Group]{c} }

// Providers returns the providers.
func (c *Client) Providers() Collection[sluice.Provider] { return Collection[sluice.Provider]{c} }

// Models returns the models.
func (c *Client) Models() Collection[sluice.Model] { return Collection[sluice.Model]{c} }

// Routes returns the routes.
func (c *Client) Routes() Collection[sluice.Route] { return Collection[sluice.Route]{c} }

// Upstreams returns the upstreams.
func (c *Client) Upstreams() Collection[sluice.Upstream] { return Collection[sluice.Upstream]{c} }
