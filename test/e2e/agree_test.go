package e2e_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/test/process"
)

// revision reads what the database has beside control.
func (in *installation) revision(t *testing.T) uint64 {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{DSN: in.postgres.DSN("postgres")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, err := db.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// metric reads one value from a process's /metrics; a missing one fails the
// test.
func metric(t *testing.T, p *process.Process, name string) float64 {
	t.Helper()
	resp, err := http.Get(p.Status + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("/metrics has no %s:\n%s", name, text)
	return 0
}

// ackTime is when a gateway last told Redis how it is.
func (in *installation) ackTime(t *testing.T, gateway string) time.Time {
	t.Helper()
	text := in.redisCLI(t, "HGET", "config:ack:"+gateway, "at")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{} // none yet
	}
	return time.UnixMilli(ms)
}
