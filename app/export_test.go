package app

import (
	"context"
	"io"
	"log/slog"
	"net"

	"github.com/sluicegate/sluice/plugin"
)

// What the tests of this package may reach.
var (
	LockFolder   = lockFolder
	SameAddress  = sameAddress
	EditDistance = editDistance
	CgroupLimit  = cgroupLimit
	PercentFor   = percentFor
)

// Loaded is a configuration with its origins and warnings.
type Loaded = loaded

// LoadFor reads a configuration from an environment and a folder.
func LoadFor(dir, file string, environ ...string) (*Loaded, error) {
	return load(sources{environ: environ, file: file, dir: dir})
}

// Warnings returns the warnings of a configuration.
func Warnings(l *Loaded) []string { return l.warnings }

// Origin returns where a value came from.
func Origin(l *Loaded, key string) string { return l.origin[key] }

// UseDev applies --dev.
func UseDev(l *Loaded) { l.useDev(l.isSet) }

// ControlAddr is where control listens.
func ControlAddr(l *Loaded) string { return l.controlAddr() }

// Run runs a command line.
func Run(ctx context.Context, stdout, stderr io.Writer, environ, args []string, extra ...plugin.Spec) int {
	return run(ctx, process{args: args, environ: environ, stdin: nil, stdout: stdout, stderr: stderr, extra: extra})
}

// NewLogger returns the logger of a format.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	return newLogger(w, format, level)
}

// Listen opens one listener.
func Listen(ctx context.Context, name, addr, setting string) (net.Listener, error) {
	return listen(ctx, listenerSpec{name, addr, setting})
}

// SettingRow is one row of the documentation of settings.
type SettingRow struct{ Key, Env, Default string }

// SettingRows lists all settings.
func SettingRows() []SettingRow {
	var rows []SettingRow
	for _, s := range settings() {
		rows = append(rows, SettingRow{s.key, s.env, s.def})
	}
	return rows
}
