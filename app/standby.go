package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/sluicegate/sluice"
)

// standBy answers on every listener why the process cannot serve, until ctx
// ends, and returns that reason. A process that ended at once would be started
// again and again by its supervisor and could not tell probes what is wrong.
func standBy(ctx context.Context, listeners map[string]net.Listener, reason *sluice.Error, log *slog.Logger) error {
	log.Error("not ready", append([]any{"ready", false, "err", reason}, addresses(listeners)...)...)
	server := &http.Server{
		Handler: standByHandler(reason), ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeadBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	for _, l := range listeners {
		go func() { _ = server.Serve(l) }() // ended by Shutdown
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeDeadline)
	defer cancel()
	_ = server.Shutdown(stopping)
	return reason
}

// standByHandler is alive, not ready, and refuses everything else.
func standByHandler(reason *sluice.Error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeProbe(w, http.StatusOK, "ok", "")
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		writeProbe(w, http.StatusServiceUnavailable, "not ready", reason.Message)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(sluice.CodeInfo(reason.Code).Status)
		_, _ = w.Write(reason.JSON("")) // the client may be gone
	})
	return mux
}
