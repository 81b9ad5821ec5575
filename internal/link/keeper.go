package link

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	// forwardedHeader carries the plane token of the process that passed a request
	// on. Whoever gets it passes the request on no further.
	forwardedHeader = "Sluice-Plane-Token"
	// keeperDial bounds the connection to a process that may be gone.
	keeperDial = time.Second
	// maxForwardAnswer bounds what is passed back.
	maxForwardAnswer = 32 << 20
)

// perHop are fields that belong to one connection (RFC 9110, section 7.6.1), and
// those that say whom a request came through, which the receiver is told anew.
var perHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", forwardedHeader,
}

// KeeperConfig configures a [Keeper].
type KeeperConfig struct {
	// Here reports whether this process keeps the ledger, also while it may not
	// decide on what is spent; required.
	Here func() bool
	// Find returns the base URL of the process that keeps it; required.
	// [sluice.CodeUnavailable] says why there is none.
	Find func(ctx context.Context) (string, error)
	// Self is the base URL that this process tells others.
	Self string
	// PlaneToken proves to each other that processes are of one installation;
	// required.
	PlaneToken string
	// Now is the clock; required.
	Now func() time.Time
}

// Keeper knows which process of an installation keeps the ledger, and passes on to
// it what no other can do: once, and within ten seconds. It is safe for
// concurrent use and starts no goroutine that outlives a call.
type Keeper struct {
	cfg    KeeperConfig
	token  [sha256.Size]byte
	client *http.Client

	mu sync.Mutex
	// last is what the latest look-up found, at found; nil before the first. What is
	// doubted led nowhere.
	last    *whereabouts
	found   time.Time
	doubted bool
	// looking is the look-up that is on its way; nil while there is none.
	looking *whereabouts
}

// NewKeeper checks the token as [CheckPlaneToken] does.
func NewKeeper(cfg KeeperConfig) (*Keeper, error) {
	if err := CheckPlaneToken(cfg.PlaneToken); err != nil {
		return nil, err
	}
	return &Keeper{cfg: cfg, token: sha256.Sum256([]byte(cfg.PlaneToken)), client: &http.Client{
		Transport: keeperTransport(16), Timeout: planeTimeout, CheckRedirect: stay,
	}}, nil
}

// stay follows no redirect: the plane token goes to nobody else.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// keeperTransport does not wait long for a process that is gone, keeps so many
// idle connections to one, and asks no proxy: what it carries are credentials.
func keeperTransport(idle int) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: keeperDial}).DialContext
	t.MaxIdleConnsPerHost, t.Proxy = idle, nil
	return t
}

// Forward passes a request on to the process that keeps the ledger and writes its
// answer; client is who asks. done is false, and nothing is written, where this
// process has to answer itself: it keeps the ledger, or was passed the request by
// another one. [sluice.CodeUnavailable]: the keeper cannot be reached; what it did
// of the request is not known if it was reached and did not answer in time.
func (k *Keeper) Forward(w http.ResponseWriter, r *http.Request, client string) (done bool, err error) {
	if k == nil || k.cfg.Here() || r.Header.Get(forwardedHeader) != "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), planeTimeout)
	defer cancel()
	base, err := k.locate(ctx)
	if err != nil {
		return false, err
	}
	r = r.WithContext(ctx)
	res, err := k.pass(w, r, base, client)
	if err != nil {
		k.forget()
		return false, unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable {
		k.forget() // it may have lost the ledger
	}
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	drop(w.Header())
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(res.Body, maxForwardAnswer)) // the client may be gone
	return true, nil
}

// pass sends a request on. Its body is read once, so nothing is sent twice.
func (k *Keeper) pass(w http.ResponseWriter, r *http.Request, base, client string) (*http.Response, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, base+r.URL.RequestURI(), http.MaxBytesReader(w, r.Body, maxJournalBody))
	if err != nil {
		return nil, err
	}
	if out.ContentLength = r.ContentLength; r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	out.Header = r.Header.Clone()
	drop(out.Header)
	if id := w.Header().Get("X-Request-Id"); id != "" {
		out.Header.Set("X-Request-Id", id)
	}
	out.Header.Set("X-Forwarded-For", client)
	out.Header.Set(forwardedHeader, k.cfg.PlaneToken)
	return k.client.Do(out) //nolint:bodyclose // by Forward
}

// clientHost is the address of whoever sent a request.
func clientHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// drop removes what belongs to one connection only.
func drop(h http.Header) {
	for _, named := range h.Values("Connection") {
		for name := range strings.SplitSeq(named, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range perHop {
		h.Del(name)
	}
}

// Receive serves next, also to what other processes of the installation pass on:
// who asks is then whom they say. Whoever has not the token is refused.
func (k *Keeper) Receive(next http.Handler) http.Handler {
	if k == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sent := r.Header.Get(forwardedHeader); sent != "" {
			got := sha256.Sum256([]byte(sent))
			if subtle.ConstantTimeCompare(got[:], k.token[:]) != 1 {
				refuse(w, sluice.Errorf(sluice.CodeUnauthorized, "the plane token is wrong: set the same SLUICE_PLANE_TOKEN on all processes"))
				return
			}
			if client := r.Header.Get("X-Forwarded-For"); client != "" {
				r.RemoteAddr = net.JoinHostPort(client, "0")
				r.Header.Del("X-Forwarded-For")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// unreachable says that the keeper did not answer.
func unreachable(cause error) error {
	var large *http.MaxBytesError
	if errors.As(cause, &large) {
		return sluice.Errorf(sluice.CodeTooLarge, "the body is larger than %d bytes", maxJournalBody)
	}
	return sluice.Errorf(sluice.CodeUnavailable, "the process that keeps the ledger cannot be reached").After(1).Because(cause)
}
