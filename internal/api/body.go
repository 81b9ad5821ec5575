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

// maxBodyBytes bounds a request body.
const maxBodyBytes = 1 << 20

const (
	mediaJSON       = "application/json"
	mediaMergePatch = "application/merge-patch+json"
	mediaForm       = "application/x-www-form-urlencoded"
)

// readBody reads the whole body, of one of the media types given, within size
// and time.
func readBody(ctx context.Context, accepted ...string) ([]byte, error) {
	x := exchangeOf(ctx)
	if err := checkMediaType(x.r, accepted); err != nil {
		return nil, err
	}
	// A transport without deadlines (a test's recorder) has no slow clients. The
	// deadline is lifted afterwards: net/http takes one that passes while the
	// handler still works for a client that hung up.
	control := http.NewResponseController(x.w)
	_ = control.SetReadDeadline(time.Now().Add(x.bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBodyBytes))
	_ = control.SetReadDeadline(time.Time{})
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, sluice.Errorf(sluice.CodeTooLarge, "the body is larger than %d bytes", maxBodyBytes)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, sluice.Errorf(sluice.CodeSlowClient, "the body did not arrive within %s", x.bodyTimeout)
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
	data, err := readBody(ctx, mediaJSON)
	if err != nil {
		return err
	}
	return strictDecode(data, v, hints)
}
