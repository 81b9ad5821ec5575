package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/app"
)

// TestNoSecretReachesTheLog sends canary credentials through every shape of log
// call, in both formats: one that comes out ends up in somebody's log archive.
func TestNoSecretReachesTheLog(t *testing.T) {
	token, _ := sluice.NewToken("live")
	canaries := []string{token, "sk-proj-abcdefghijklmnop", "Bearer abcdefghijklmnopqrstuv", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "AIzaSyA1234567890abcdefghijk"}
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		log := app.NewLogger(&out, format, slog.LevelDebug)
		for _, canary := range canaries {
			log.Info("got " + canary)
			log.With("note", canary).WithGroup("g").Info("x", "text", "a "+canary+" b", "err", fmt.Errorf("dial: %w", errors.New(canary)))
			log.Info("x", slog.Group("request", slog.String("h", canary), slog.Group("deep", slog.Any("v", []string{canary}))))
			log.Info("x", "header", http.Header{"X-Any": {canary}})
			log.Info("x", "err", sluice.Errorf(sluice.CodeInternal, "x").Because(errors.New(canary)))
		}
		plain := "hunter2hunter2"
		for _, name := range []string{"authorization", "Authorization", "x-api-key", "X_Api_Key", "cookie", "Set-Cookie", "password", "api_key", "token", "dsn"} {
			log.Info("x", name, plain)
		}
		log.Info("x", "url", &url.URL{Scheme: "postgres", Host: "db", User: url.UserPassword("u", plain)})
		log.Info("x", "dial", "redis://:"+plain+"@cache:6379/0", "target", "/setup?token="+plain)
		for _, secret := range append(canaries, plain) {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s: %q came through:\n%s", format, secret, lineWith(out.String(), secret))
			}
		}
		if lines := strings.Count(out.String(), "\n"); lines < 30 || strings.Count(out.String(), "[redacted]") < lines {
			t.Errorf("%s: %d lines, %d redactions", format, lines, strings.Count(out.String(), "[redacted]"))
		}
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// TestRedactionLeavesTheRest keeps logs useful: ids, paths and durations pass.
func TestRedactionLeavesTheRest(t *testing.T) {
	var out bytes.Buffer
	log := app.NewLogger(&out, "json", slog.LevelInfo)
	log.Info("request", "id", "0199a0f4-7c3b-7d2e-8a40-0d7d3a1c2b3e", "path", "/v1/chat/completions", "prefix", "slc_live_0123456789",
		"status", 200, "url", "https://api.example.com/v1", "tokens", 12)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"id": "0199a0f4-7c3b-7d2e-8a40-0d7d3a1c2b3e", "path": "/v1/chat/completions", "prefix": "slc_live_0123456789",
		"status": 200.0, "url": "https://api.example.com/v1", "tokens": 12.0, "msg": "request", "level": "INFO"}
	for name, value := range want {
		if line[name] != value {
			t.Errorf("%s is %v, want %v", name, line[name], value)
		}
	}
}

// TestLevelChangesAtRunTime is feature E8: an incident is no time to restart.
func TestLevelChangesAtRunTime(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		level := new(slog.LevelVar)
		log := app.NewLogger(&out, format, level).With("k", "v")
		log.Debug("one")
		level.Set(slog.LevelDebug)
		log.Debug("two")
		level.Set(slog.LevelError)
		log.Warn("three")
		if text := out.String(); strings.Contains(text, "one") || !strings.Contains(text, "two") || strings.Contains(text, "three") {
			t.Errorf("%s: %s", format, text)
		}
	}
}

// TestConsoleLine pins the form people read, and that a client's bytes cannot
// forge a line or colour the terminal.
func TestConsoleLine(t *testing.T) {
	var out bytes.Buffer
	log := app.NewLogger(&out, "console", slog.LevelInfo)
	log.With("a", 1).WithGroup("g").Warn("hello\nworld", "b", "two words", "c", "x\n12:00 ERROR forged", "d", "\x1b[31m", "e", "")
	line := out.String()
	if strings.Count(line, "\n") != 1 {
		t.Errorf("not one line: %q", line)
	}
	const want = ` WARN  "hello\nworld" a=1 g.b="two words" g.c="x\n12:00 ERROR forged" g.d="\x1b[31m" g.e=""` + "\n"
	if len(line) < 12 || line[12:] != want {
		t.Errorf("got  %q\nwant %q", line, want)
	}
}
