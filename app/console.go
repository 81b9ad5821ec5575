package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
)

// consoleHandler writes log lines for people: time, level, message, then
// name=value. It is safe for concurrent use.
type consoleHandler struct {
	mu     *sync.Mutex
	w      io.Writer
	level  slog.Leveler
	colour bool
	prefix string // group names, each followed by a dot
	attrs  string // attributes of WithAttrs, already written
}

func newConsoleHandler(w io.Writer, level slog.Leveler, colour bool) *consoleHandler {
	return &consoleHandler{mu: new(sync.Mutex), w: w, level: level, colour: colour}
}

// Enabled implements slog.Handler.
func (h *consoleHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *consoleHandler) Handle(_ context.Context, r slog.Record) error {
	var line bytes.Buffer
	fmt.Fprintf(&line, "%s %s %s", h.paint("2", r.Time.Format("15:04:05.000")), h.levelText(r.Level), redact(oneLine(r.Message)))
	line.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		h.writeAttr(&line, h.prefix, a)
		return true
	})
	line.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (h *consoleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b bytes.Buffer
	for _, a := range attrs {
		h.writeAttr(&b, h.prefix, a)
	}
	c := *h
	c.attrs += b.String()
	return &c
}

// WithGroup implements slog.Handler.
func (h *consoleHandler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.prefix += name + "."
	}
	return &c
}

func (h *consoleHandler) writeAttr(b *bytes.Buffer, prefix string, a slog.Attr) {
	if value := a.Value.Resolve(); value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range value.Group() {
			h.writeAttr(b, prefix, member)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	a = redactAttr(nil, a)
	b.WriteByte(' ')
	b.WriteString(h.paint("2", prefix+a.Key+"="))
	b.WriteString(quoteIfNeeded(a.Value.String()))
}

func (h *consoleHandler) levelText(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return h.paint("31", "ERROR")
	case l >= slog.LevelWarn:
		return h.paint("33", "WARN ")
	case l >= slog.LevelInfo:
		return h.paint("32", "INFO ")
	}
	return h.paint("34", "DEBUG")
}

// paint wraps text in an ANSI colour when a terminal shows it.
func (h *consoleHandler) paint(code, text string) string {
	if !h.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// quoteIfNeeded keeps one attribute one word, and control characters of a
// client from forging log lines.
func quoteIfNeeded(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r == 0x7f || !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// oneLine keeps a message on its line.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}
