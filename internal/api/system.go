package api

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// registerSystem adds what belongs to the processes rather than to tenants.
func (s *server) registerSystem() {
	register(s, operation{id: "list-plugins", method: http.MethodGet, path: adminPath + "plugins", tag: "system",
		summary: "List the plugins and their configuration schemas"}, s.listPlugins)
	register(s, operation{id: "list-gateways", method: http.MethodGet, path: adminPath + "gateways", tag: "system",
		summary: "List what the gateways last reported", description: "Platform admins only."}, s.listGateways)
	register(s, operation{id: "get-log-level", method: http.MethodGet, path: adminPath + "system/log-level", tag: "system",
		summary: "Read this process's log level", description: "Platform admins only.", errors: []sluice.Code{sluice.CodeUnsupported}}, s.getLogLevel)
	register(s, operation{id: "set-log-level", method: http.MethodPut, path: adminPath + "system/log-level", tag: "system",
		summary: "Change this process's log level", description: "Platform admins only. It lasts until the process ends.",
		body: reflect.TypeFor[logLevelBody](), example: logLevelBody{"debug"},
		errors: []sluice.Code{sluice.CodeUnsupported}}, s.setLogLevel)
	registerOpen(s, operation{id: "get-health", method: http.MethodGet, path: "/health", tag: "system",
		summary: "Whether the process is alive"}, s.health)
	registerOpen(s, operation{id: "get-ready", method: http.MethodGet, path: "/ready", tag: "system",
		summary: "Whether the process can serve", errors: []sluice.Code{sluice.CodeUnavailable}}, s.ready)
}

type pluginsOutput struct {
	Body struct {
		Items []PluginInfo `json:"items"`
	}
}

func (s *server) listPlugins(context.Context, *control.Session, *none) (*pluginsOutput, error) {
	out := &pluginsOutput{}
	out.Body.Items = append([]PluginInfo{}, s.Plugins...)
	return out, nil
}

type gatewaysOutput struct {
	Body struct {
		Items []sluice.GatewayStatus `json:"items"`
	}
}

func (s *server) listGateways(_ context.Context, ses *control.Session, _ *none) (*gatewaysOutput, error) {
	if err := requirePlatform(ses); err != nil {
		return nil, err
	}
	out := &gatewaysOutput{}
	out.Body.Items = append([]sluice.GatewayStatus{}, s.Gateways()...)
	return out, nil
}

// logLevelBody names a level of log/slog in lower case.
type logLevelBody struct {
	Level string `json:"level" enum:"debug,info,warn,error"`
}

type logLevelOutput struct{ Body logLevelBody }

// logLevels is in the order of severity.
var logLevels = []struct {
	name  string
	level slog.Level
}{{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn}, {"error", slog.LevelError}}

func (s *server) getLogLevel(_ context.Context, ses *control.Session, _ *none) (*logLevelOutput, error) {
	if err := s.mayLogLevel(ses); err != nil {
		return nil, err
	}
	current := s.LogLevel.Level()
	out := &logLevelOutput{}
	for _, l := range logLevels {
		if l.level <= current || out.Body.Level == "" {
			out.Body.Level = l.name
		}
	}
	return out, nil
}

func (s *server) setLogLevel(ctx context.Context, ses *control.Session, _ *none) (*logLevelOutput, error) {
	if err := s.mayLogLevel(ses); err != nil {
		return nil, err
	}
	var body logLevelBody
	if err := decodeBody(ctx, &body, nil); err != nil {
		return nil, err
	}
	for _, l := range logLevels {
		if l.name == body.Level {
			s.LogLevel.Set(l.level)
			s.log.InfoContext(ctx, "log level changed", "level", l.name, "user", ses.Caller().User, "trace_id", requestID(ctx))
			return &logLevelOutput{body}, nil
		}
	}
	return nil, invalid("/level", "level %q must be debug, info, warn or error", clipped(body.Level))
}

func (s *server) mayLogLevel(ses *control.Session) error {
	if err := requirePlatform(ses); err != nil {
		return err
	}
	if s.LogLevel == nil {
		return sluice.Errorf(sluice.CodeUnsupported, "this process's log level is fixed")
	}
	return nil
}

type healthOutput struct {
	Body struct {
		Status    string    `json:"status" enum:"ok"`
		Service   string    `json:"service"`
		Version   string    `json:"version"`
		Timestamp time.Time `json:"timestamp"`
	}
}

func (s *server) health(context.Context, *none) (*healthOutput, error) {
	out := &healthOutput{}
	out.Body.Status, out.Body.Service, out.Body.Version, out.Body.Timestamp = "ok", "sluice-control", s.Version, s.Clock().UTC()
	return out, nil
}

type readyOutput struct {
	Body struct {
		Status string `json:"status" enum:"ready"`
	}
}

func (s *server) ready(context.Context, *none) (*readyOutput, error) {
	if reason := s.Ready(); reason != "" {
		return nil, sluice.Errorf(sluice.CodeUnavailable, "not ready: %s", reason).After(5)
	}
	out := &readyOutput{}
	out.Body.Status = "ready"
	return out, nil
}
