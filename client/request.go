package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	// maxAttempts bounds how often one call is sent.
	maxAttempts = 3
	// firstBackoff is the wait before the first retry of a lost connection; it
	// doubles.
	firstBackoff = 100 * time.Millisecond
	// maxAnswerBytes bounds an answer: a page of 500 objects is far smaller.
	maxAnswerBytes = 64 << 20
)

// request is one call of the API.
type request struct {
	method, path string // path is escaped already
	query        url.Values
	body         any // nil for none, a file as it is, anything else as JSON
	opts         sluice.WriteOptions
	status       *int // where the status goes, if wanted
}

// file is a body that is sent as it is.
type file struct {
	media string
	data  []byte
}

// text takes an answer as it is.
type text []byte

// call sends a request as the caller, with a fresh token when the old one was
// refused, and retries what may be retried.
func (c *Client) call(ctx context.Context, r request, out any) error {
	token, err := c.accessToken(ctx, "")
	if err != nil {
		return err
	}
	err = c.retry(ctx, r, token, out)
	if sluice.CodeOf(err) != sluice.CodeUnauthorized || token == "" {
		return err
	}
	fresh, renewErr := c.accessToken(ctx, token)
	if renewErr != nil || fresh == "" {
		return errors.Join(err, renewErr)
	}
	return c.retry(ctx, r, fresh, out)
}

// retry sends a request up to [maxAttempts] times.
func (c *Client) retry(ctx context.Context, r request, token string, out any) error {
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		status, err := c.send(ctx, r, token, out)
		if r.status != nil {
			*r.status = status
		}
		wait, again := c.mayRetry(r, err, backoff)
		if !again || attempt == maxAttempts || ctx.Err() != nil {
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
		backoff *= 2
	}
}

// mayRetry decides whether a failed request may be sent again, and when. What
// the server refused with a time to come back was not done. A connection that
// broke leaves that open: only requests that do no harm twice are sent again.
func (c *Client) mayRetry(r request, err error, backoff time.Duration) (time.Duration, bool) {
	if err == nil {
		return 0, false
	}
	var stated *sluice.Error
	if errors.As(err, &stated) {
		wait := time.Duration(stated.RetryAfter) * time.Second
		polite := stated.Code == sluice.CodeUnavailable || stated.Code == sluice.CodeRequestRate
		return wait, polite && wait > 0 && wait <= c.cfg.MaxRetryWait
	}
	var lost *lostError
	return backoff, errors.As(err, &lost) && r.repeatable()
}

// lostError is an exchange that broke before the answer was whole: whether the
// server did what was asked is open.
type lostError struct{ error }

func (e *lostError) Unwrap() error { return e.error }

// repeatable reports whether sending the request twice does what once does.
func (r request) repeatable() bool {
	switch r.method {
	case http.MethodGet:
		return true
	case http.MethodPut:
		return r.opts.IfMatch == 0 && !r.opts.IfNoneMatch && !r.opts.IfExists
	}
	return r.opts.IdempotencyKey != ""
}

// send makes one HTTP exchange and decodes the answer into out, unless nil.
func (c *Client) send(ctx context.Context, r request, token string, out any) (status int, err error) {
	req, err := c.build(ctx, r, token)
	if err != nil {
		return 0, err
	}
	resp, err := c.cfg.HTTPClient.Do(req)
	if err != nil {
		return 0, &lostError{fmt.Errorf("call the control plane: %w", err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return 0, &lostError{fmt.Errorf("read the control plane's answer: %w", err)}
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, answerError(resp, body)
	}
	if out == nil || len(body) == 0 {
		return resp.StatusCode, nil
	}
	if whole, ok := out.(*text); ok {
		*whole = body
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return 0, fmt.Errorf("decode the control plane's answer: %w", err)
	}
	return resp.StatusCode, nil
}

// build makes the HTTP request.
func (c *Client) build(ctx context.Context, r request, token string) (*http.Request, error) {
	if r.opts.DryRun {
		r.query.Set("dry_run", "true")
	}
	target := c.base.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if content, ok := r.body.(file); ok {
		body = bytes.NewReader(content.data)
	} else if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the object cannot be written as JSON").Because(err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.setHeader(req.Header)
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

func (r request) setHeader(h http.Header) {
	if r.body != nil {
		h.Set("Content-Type", "application/json")
	}
	if content, ok := r.body.(file); ok {
		h.Set("Content-Type", content.media)
	}
	if r.method == http.MethodPatch {
		h.Set("Content-Type", "application/merge-patch+json")
	}
	if condition := ifMatch(r.opts); condition != "" {
		h.Set("If-Match", condition)
	}
	if r.opts.IfNoneMatch {
		h.Set("If-None-Match", "*")
	}
	if r.opts.IdempotencyKey != "" {
		h.Set("Idempotency-Key", r.opts.IdempotencyKey)
	}
}

// ifMatch renders the versions that a write asks for as a list of ETags (RFC
// 9110, section 13.1.1).
func ifMatch(opts sluice.WriteOptions) string {
	if opts.IfMatch == 0 {
		if opts.IfExists {
			return "*"
		}
		return ""
	}
	list := `"` + strconv.FormatUint(opts.IfMatch, 10) + `"`
	for _, version := range opts.AlsoMatch {
		list += `, "` + strconv.FormatUint(version, 10) + `"`
	}
	return list
}

// answerError reads the error shape of feature I6. The trace id is kept in
// Details["trace_id"], for whoever asks the operator.
func answerError(resp *http.Response, body []byte) error {
	var shape struct {
		Error struct {
			Code    sluice.Code    `json:"code"`
			Message string         `json:"message"`
			Details map[string]any `json:"details"`
			TraceID string         `json:"trace_id"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &shape); err != nil || shape.Error.Code == "" {
		return fmt.Errorf("the server at %s answered %s, which is not an answer of Sluice's control API", resp.Request.URL.Host, resp.Status)
	}
	e := sluice.Errorf(shape.Error.Code, "%s", shape.Error.Message)
	e.Details = shape.Error.Details
	e.Field, _ = shape.Error.Details["field"].(string)
	e.RetryAfter, _ = strconv.Atoi(resp.Header.Get("Retry-After"))
	return e.With("trace_id", shape.Error.TraceID)
}

// sleep waits, or returns early with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
