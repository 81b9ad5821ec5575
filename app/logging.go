package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// parseLevel reads a level's name.
func parseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("unknown level %q", name)
}

// newLogger returns a logger over w whose level can be changed while it runs.
// Everything passes [redactAttr] first, whatever the format.
func newLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	colour := isTerminal(w)
	if format == "json" || format == "auto" && !colour {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}))
	}
	return slog.New(newConsoleHandler(w, level, colour))
}

// isTerminal reports whether people read w: a character device, and no wish for
// plain text (https://no-color.org).
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
