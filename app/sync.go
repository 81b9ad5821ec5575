package app

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

const (
	syncPath = "/sync/snapshot"
	// progressType asks POST /sync/snapshot to tell its progress, a JSON object
	// a line; the last one has the revision or the error.
	progressType = "application/x-ndjson"
)

// syncLine is one line of progress.
type syncLine struct {
	Step     string            `json:"step,omitempty"`
	Done     int               `json:"done,omitempty"`
	Total    int               `json:"total,omitempty"`
	Revision uint64            `json:"revision,omitempty"`
	Error    *sluice.ErrorBody `json:"error,omitempty"`
}

// streamSync rebuilds Redis for a platform admin who wants to watch; others are
// served by next, the operation of the API.
func (c *controlRole) streamSync(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if r.Header.Get("Accept") != progressType || !bearer {
			next.ServeHTTP(w, r)
			return
		}
		caller, err := c.control.Authenticate(r.Context(), token)
		if err != nil {
			writeError(w, err)
			return
		}
		if _, err := c.control.As(caller).Sync(r.Context()); err != nil {
			writeError(w, err)
			return
		}
		c.streamTo(w, r)
	}
}

// streamTo syncs and writes progress as it comes.
func (c *controlRole) streamTo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", progressType)
	lines := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	say := func(l syncLine) {
		_ = lines.Encode(l) // who left early ends the sync by the context
		_ = flush.Flush()
	}
	revision, err := c.sync(r.Context(), link.SyncOptions{
		Force:    r.URL.Query().Get("force") == "true",
		Progress: func(p link.Progress) { say(syncLine{Step: p.Step, Done: p.Done, Total: p.Total}) },
	})
	if err != nil {
		c.log.Error("the configuration was not synced", "err", err)
		body := sluice.AsError(err).Body("")
		say(syncLine{Error: &body})
		return
	}
	say(syncLine{Revision: revision})
}

// writeError answers with an error in our shape.
func writeError(w http.ResponseWriter, err error) {
	e := sluice.AsError(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(sluice.CodeInfo(e.Code).Status)
	_, _ = w.Write(e.JSON("")) // the client may be gone
}
