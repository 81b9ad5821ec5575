package client

import (
	"context"
	"net/http"

	"github.com/sluicegate/sluice"
)

// SignIn exchanges email and password for tokens and uses them from now on. It
// may be called again; errors are those of the server, such as
// [sluice.CodeUnauthorized] and [sluice.CodeLockedOut].
func (c *Client) SignIn(ctx context.Context, email, password string) (sluice.Tokens, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.obtain(ctx, "/v1/auth/token", map[string]string{"email": email, "password": password})
}

// SignOut revokes the refresh token and everything that descends from the same
// sign-in.
func (c *Client) SignOut(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.send(ctx, request{method: http.MethodPost, path: "/v1/auth/logout", body: map[string]string{"refresh_token": c.tokens.RefreshToken}}, "", nil)
	if err == nil {
		c.tokens = sluice.Tokens{}
	}
	return err
}

// accessToken returns a token to try: not the one that was refused, if any.
func (c *Client) accessToken(ctx context.Context, refused string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens.AccessToken != refused {
		return c.tokens.AccessToken, nil
	}
	if c.tokens.RefreshToken != "" {
		tokens, err := c.obtain(ctx, "/v1/auth/refresh", map[string]string{"refresh_token": c.tokens.RefreshToken})
		if err == nil {
			return tokens.AccessToken, nil
		}
		if c.cfg.Password == "" || sluice.CodeOf(err) != sluice.CodeUnauthorized {
			return "", err
		}
	}
	if c.cfg.Password == "" {
		return "", nil
	}
	tokens, err := c.obtain(ctx, "/v1/auth/token", map[string]string{"email": c.cfg.Email, "password": c.cfg.Password})
	return tokens.AccessToken, err
}

// obtain asks for a pair of tokens and keeps it; the caller holds mu.
func (c *Client) obtain(ctx context.Context, path string, body map[string]string) (sluice.Tokens, error) {
	var tokens sluice.Tokens
	if _, err := c.send(ctx, request{method: http.MethodPost, path: path, body: body}, "", &tokens); err != nil {
		return sluice.Tokens{}, err
	}
	c.tokens = tokens
	if c.cfg.OnTokens != nil {
		c.cfg.OnTokens(tokens)
	}
	return tokens, nil
}
