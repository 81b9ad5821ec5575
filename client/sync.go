package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluicegate/sluice"
)

// maxSyncLine bounds one line of progress.
const maxSyncLine = 64 << 10

// SyncProgress says how far a rebuild of what is published is.
type SyncProgress struct {
	Step string `json:"step"`
	// Done of Total entries of the step; Total is 0 where it is not known.
	Done  int `json:"done"`
	Total int `json:"total"`
}

// syncLine is one line of the answer: progress, or the end.
type syncLine struct {
	SyncProgress
	Revision *uint64         `json:"revision"`
	Error    json.RawMessage `json:"error"`
}

// SyncSnapshot publishes the configuration and writes all of it in Redis anew
// (POST /sync/snapshot); for platform admins. force confirms that it may hold
// far fewer keys or providers than before. progress may be nil; ctx bounds the
// time.
func (c *Client) SyncSnapshot(ctx context.Context, force bool, progress func(SyncProgress)) (revision uint64, err error) {
	if progress == nil {
		progress = func(SyncProgress) {}
	}
	token, err := c.accessToken(ctx, "")
	if err != nil {
		return 0, err
	}
	resp, err := c.openSync(ctx, force, token)
	if sluice.CodeOf(err) == sluice.CodeUnauthorized && token != "" {
		fresh, renewErr := c.accessToken(ctx, token)
		if renewErr != nil || fresh == "" {
			return 0, errors.Join(err, renewErr)
		}
		resp, err = c.openSync(ctx, force, fresh)
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return readSync(resp.Body, progress)
}

// openSync asks for the rebuild; the caller closes the answer's body.
func (c *Client) openSync(ctx context.Context, force bool, token string) (*http.Response, error) {
	req, err := c.build(ctx, request{method: http.MethodPost, path: "/sync/snapshot", query: url.Values{"force": {strconv.FormatBool(force)}}}, token)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/x-ndjson")
	patient := *c.cfg.HTTPClient
	patient.Timeout = 0 // ctx bounds the time: millions of keys take longer than a call
	resp, err := patient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call the control plane: %w", err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSyncLine))
	if err != nil {
		return nil, fmt.Errorf("read the control plane's answer: %w", err)
	}
	return nil, answerError(resp, body)
}

// readSync follows the lines to the last one; a control plane without Redis
// answers with that one alone.
func readSync(body io.Reader, progress func(SyncProgress)) (uint64, error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxSyncLine)
	for lines.Scan() {
		var l syncLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return 0, fmt.Errorf("decode the control plane's answer: %w", err)
		}
		switch {
		case l.Error != nil:
			return 0, syncError(l.Error)
		case l.Revision != nil:
			return *l.Revision, nil
		}
		progress(l.SyncProgress)
	}
	return 0, errors.Join(errors.New("the control plane broke the rebuild off"), lines.Err())
}

// syncError reads the error that ended a rebuild.
func syncError(text json.RawMessage) error {
	var e struct {
		Code    sluice.Code `json:"code"`
		Message string      `json:"message"`
	}
	if err := json.Unmarshal(text, &e); err != nil || e.Code == "" {
		return fmt.Errorf("the control plane broke the rebuild off: %s", text)
	}
	return sluice.Errorf(e.Code, "%s", e.Message)
}
