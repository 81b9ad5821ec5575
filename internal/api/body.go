package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	// maxBodyBytes bounds a request body.
	maxBodyBytes = 1 << 20
	// bodyTimeout bounds how long a body may take to arrive.
	bodyTimeout = 10 * time.Second
)

const (
	mediaJSON       = "application/json"
	mediaMergePatch = "application/merge-patch+json"
	mediaForm       = "application/x-www-form-urlencoded"
)

// readBody reads the whole body, of one of the media types given, within size
// and time.
func readBody(w http.ResponseWriter, r *http.Request, accepted ...string) ([]byte, error) {
	if err := checkMediaType(r, accepted); err != nil {
		return nil, err
	}
	// A transport without deadlines (a test's recorder) has no slow clients.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, sluice.Errorf(sluice.CodeTooLarge, "the body is larger than %d bytes", maxBodyBytes)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, sluice.Errorf(sluice.CodeSlowClient, "the body did not arrive within %s", bodyTimeout)
	case err != nil:
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the body could not be read").Because(err)
	}
	return body, nil
}

// checkMediaType refuses other content types. A body must name its type: a
// script of another origin can send one without, and nothing else, unasked.
func checkMediaType(r *http.Request, accepted []string) error {
	given := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(given)
	for _, a := range accepted {
		if err == nil && media == a {
			return nil
		}
	}
	return sluice.Errorf(sluice.CodeMediaType, "content type %q is not accepted here; send %s", clipped(given), accepted[0]).At("Content-Type")
}

// decodeBody reads the operation's JSON body into v, strictly.
func decodeBody(ctx context.Context, v any, hints map[string]string) error {
	x := exchangeOf(ctx)
	data, err := readBody(x.w, x.r, mediaJSON)
	if err != nil {
		return err
	}
	return strictDecode(data, v, hints)
}
