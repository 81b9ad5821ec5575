package app

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
)

// redacted stands for what must not be logged.
const redacted = "[redacted]"

// secretNames are attribute names whose value is never logged, in lower case
// with "-" as "_".
var secretNames = []string{
	"authorization", "proxy_authorization", "x_api_key", "x_goog_api_key", "api_key", "apikey", "cookie", "set_cookie",
	"password", "secret", "token", "access_token", "refresh_token", "master_key", "jwt_secret", "dsn", "csrf",
}

// secretShapes are the shapes of credentials that people paste into places
// where no name announces them: our keys, providers' keys, bearer values, JWTs,
// and the passwords of URLs.
var secretShapes = regexp.MustCompile(strings.Join([]string{
	`slc_[a-z]{1,8}_[0-9A-Za-z]{10}_[0-9A-Za-z_]+`,
	`\bsk-[0-9A-Za-z_-]{8,}`,
	`\bAIza[0-9A-Za-z_-]{20,}`,
	`(?i)\b(bearer|basic)\s+[0-9A-Za-z._~+/=-]{8,}`,
	`\beyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*`,
	`://[^/\s:@]*:[^/\s@]+@`,
	`(?i)\b(token|api[_-]?key|password|secret)=[^&\s"]+`,
}, "|"))

// redactAttr is the slog.HandlerOptions.ReplaceAttr of every logger: it hides
// values by name and by shape, the message included.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	if slices.Contains(secretNames, strings.ReplaceAll(strings.ToLower(a.Key), "-", "_")) {
		return slog.String(a.Key, redacted)
	}
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, redact(v.String()))
	case slog.KindDuration:
		return slog.String(a.Key, v.Duration().String()) // JSON would show bare nanoseconds
	case slog.KindAny:
		return slog.String(a.Key, redact(anyText(v.Any())))
	default:
		return a
	}
}

// anyText renders a value that is neither text nor number, so that the shapes
// are looked for in all that a log line would show of it.
func anyText(v any) string {
	switch x := v.(type) {
	case error:
		return x.Error()
	case fmt.Stringer:
		return x.String()
	}
	return fmt.Sprintf("%v", v)
}

// redact hides credentials inside a text.
func redact(s string) string { return secretShapes.ReplaceAllString(s, redacted) }

// redactError hides credentials in an error that is printed, not logged.
func redactError(err error) error {
	if err == nil {
		return nil
	}
	if text := redact(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}
