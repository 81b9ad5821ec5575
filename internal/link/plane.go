package link

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// Limits between planes.
const (
	// minPlaneToken is the least length of the shared token.
	minPlaneToken = 24
	// maxPlaneBody bounds a request between planes.
	maxPlaneBody = 8 << 20
	// maxPlaneAnswer bounds an answer.
	maxPlaneAnswer = 64 << 10
	planeTimeout   = 10 * time.Second
)

// weakTokens are what examples and templates tend to hold.
var weakTokens = []string{"changeme", "change-me", "default", "example", "secret", "password", "token", "sluice"}

// CheckPlaneToken refuses a SLUICE_PLANE_TOKEN that is missing, a default or
// too short with [sluice.CodeConfig]: who holds it may write records.
func CheckPlaneToken(token string) error {
	if token == "" {
		return sluice.Errorf(sluice.CodeConfig, "SLUICE_PLANE_TOKEN is not set: control and gateways need the same one, for instance from `openssl rand -hex 32`").At("SLUICE_PLANE_TOKEN")
	}
	rest := strings.ToLower(token)
	for _, w := range weakTokens {
		rest = strings.ReplaceAll(rest, w, "")
	}
	if len(token) < minPlaneToken || distinct(rest) < 8 {
		return sluice.Errorf(sluice.CodeConfig, "SLUICE_PLANE_TOKEN is a default or shorter than %d characters: set one from `openssl rand -hex 32`", minPlaneToken).At("SLUICE_PLANE_TOKEN")
	}
	return nil
}

// distinct counts the different bytes of s.
func distinct(s string) int {
	seen := map[byte]bool{}
	for i := range len(s) {
		seen[s[i]] = true
	}
	return len(seen)
}

// guarded serves next to callers that know the token. Comparing digests takes
// the same time whatever the caller sent.
func guarded(token string, next http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(sent))
		switch {
		case !ok || sent == "":
			refuse(w, sluice.Errorf(sluice.CodeUnauthorized, "this address is for other Sluice processes: send SLUICE_PLANE_TOKEN as a bearer token"))
		case subtle.ConstantTimeCompare(got[:], want[:]) != 1:
			refuse(w, sluice.Errorf(sluice.CodeUnauthorized, "the plane token is wrong: set the same SLUICE_PLANE_TOKEN on control and gateways"))
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, sluice.Errorf(sluice.CodeMethodNotAllowed, "only POST is served here"))
		default:
			next(w, r)
		}
	})
}

// readBody decodes a bounded JSON body; an error carries its code.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPlaneBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return sluice.Errorf(sluice.CodeTooLarge, "the body is larger than %d bytes", maxPlaneBody)
	case err != nil:
		return sluice.Errorf(sluice.CodeSlowClient, "the body did not arrive").Because(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return sluice.Errorf(sluice.CodeInvalidRequest, "the body is not the JSON that is expected here: %v", err)
	}
	return nil
}

// planeError is the body of a refusal, in the shape of all of our errors.
type planeError struct {
	Error struct {
		Code      sluice.Code    `json:"code"`
		Message   string         `json:"message"`
		Retryable bool           `json:"retryable"`
		Details   map[string]any `json:"details,omitempty"`
	} `json:"error"`
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	e := sluice.AsError(err)
	info := sluice.CodeInfo(e.Code)
	var body planeError
	body.Error.Code, body.Error.Message, body.Error.Retryable, body.Error.Details = e.Code, e.Message, info.Retryable, e.Details
	if info.Retryable {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, e.RetryAfter)))
	}
	answer(w, info.Status, body)
}

// answer writes JSON; a client that is gone does not care.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// planeClient posts to the other plane and reads JSON from it.
type planeClient struct {
	url         string
	token       string
	http        *http.Client
	contentType string // of what is posted
	forwarded   bool   // to a process of the same plane: it must not pass it on
}

// newPlaneClient checks address and token.
func newPlaneClient(base, path, token string, client *http.Client) (planeClient, error) {
	if err := CheckPlaneToken(token); err != nil {
		return planeClient{}, err
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return planeClient{}, sluice.Errorf(sluice.CodeConfig, "%q is not the http(s) address of control", base)
	}
	if client == nil {
		client = &http.Client{Timeout: planeTimeout}
	}
	return planeClient{url: strings.TrimRight(base, "/") + path, token: token, http: client, contentType: "application/json"}, nil
}

// post sends a body once. An error carries the code that the other side gave,
// or [sluice.CodeUnavailable] when it gave none.
func (c planeClient) post(ctx context.Context, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post to control: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", c.contentType)
	if c.forwarded {
		req.Header.Set(forwardedHeader, c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return sluice.Errorf(sluice.CodeUnavailable, "control cannot be reached").After(1).Because(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPlaneAnswer))
	if err != nil {
		return sluice.Errorf(sluice.CodeUnavailable, "control did not finish its answer").After(1).Because(err)
	}
	if res.StatusCode/100 != 2 {
		return refusalOf(res, b)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return sluice.Errorf(sluice.CodeUnavailable, "what answers at control's address is not control").Because(err)
	}
	return nil
}

// refusalOf reads the other side's error.
func refusalOf(res *http.Response, body []byte) *sluice.Error {
	var e planeError
	after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	if json.Unmarshal(body, &e) != nil || e.Error.Code == "" {
		return sluice.Errorf(sluice.CodeUnavailable, "control answered %d", res.StatusCode).After(max(1, min(after, math.MaxInt32)))
	}
	refusal := sluice.Errorf(e.Error.Code, "%s", e.Error.Message).After(after)
	refusal.Details = e.Error.Details
	return refusal
}
