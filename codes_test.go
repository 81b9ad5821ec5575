package sluice_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// TestCodeTableIsComplete guards the one table that programs branch on: a code
// without a row would be shown to clients as an internal error.
func TestCodeTableIsComplete(t *testing.T) {
	rows := map[sluice.Code]bool{}
	for _, row := range sluice.Codes() {
		if rows[row.Code] {
			t.Errorf("%s has two rows", row.Code)
		}
		rows[row.Code] = true
	}
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^\tCode\w+\s+Code = "([A-Z_0-9]+)"$`).FindAllStringSubmatch(string(source), -1)
	if len(declared) < 40 {
		t.Fatalf("found only %d declared codes: the pattern no longer reads codes.go", len(declared))
	}
	for _, m := range declared {
		if !rows[sluice.Code(m[1])] {
			t.Errorf("%s is declared but has no row", m[1])
		}
	}
	if len(rows) != len(declared) {
		t.Errorf("the table has %d rows, %d codes are declared", len(rows), len(declared))
	}
}

// TestCodeRowsAreWhole keeps every answer useful: a status that HTTP knows, both
// languages, and what to do about it.
func TestCodeRowsAreWhole(t *testing.T) {
	code := regexp.MustCompile(`^(AUTH|BILLING|ROUTER|PROVIDER|RATE_LIMIT|COMMON|CONFIG)_\d{3}$`)
	han := regexp.MustCompile(`\p{Han}`)
	for _, row := range sluice.Codes() {
		if !code.MatchString(string(row.Code)) {
			t.Errorf("%s is of no family", row.Code)
		}
		if row.Status < 400 || row.Status > 599 {
			t.Errorf("%s has status %d", row.Code, row.Status)
		}
		if !strings.HasSuffix(row.English, ".") || !strings.HasSuffix(row.Remedy, ".") {
			t.Errorf("%s: English and Remedy must be sentences", row.Code)
		}
		if !han.MatchString(row.Chinese) || !strings.HasSuffix(row.Chinese, "。") {
			t.Errorf("%s: Chinese %q is not a Chinese sentence", row.Code, row.Chinese)
		}
		if row.Status == 429 && !row.Retryable {
			t.Errorf("%s: 429 must be retryable", row.Code)
		}
	}
}

// TestCodeStatusesOfTheFeatureList pins the statuses that feature I6 promises to
// clients; changing one breaks programs that we cannot see.
func TestCodeStatusesOfTheFeatureList(t *testing.T) {
	want := map[sluice.Code]int{
		"AUTH_001": 401, "AUTH_002": 403, "AUTH_003": 403,
		"BILLING_001": 402, "BILLING_002": 500, "BILLING_003": 500, "BILLING_004": 500,
		"ROUTER_001": 503, "ROUTER_002": 503, "ROUTER_003": 504,
		"PROVIDER_001": 502, "PROVIDER_002": 429, "PROVIDER_003": 502, "PROVIDER_004": 404, "PROVIDER_005": 502,
		"RATE_LIMIT_001": 429, "RATE_LIMIT_002": 429, "RATE_LIMIT_003": 429,
		"COMMON_001": 400, "COMMON_002": 404, "COMMON_003": 500, "COMMON_004": 503,
	}
	for code, status := range want {
		if got := sluice.CodeInfo(code); got.Code != code || got.Status != status {
			t.Errorf("%s answers %d as %s, want %d", code, got.Status, got.Code, status)
		}
	}
}

// TestUnknownCodeIsInternal makes sure that a client always gets a whole answer.
func TestUnknownCodeIsInternal(t *testing.T) {
	if got := sluice.CodeInfo("NO_SUCH_CODE"); got.Code != sluice.CodeInternal {
		t.Errorf("an unknown code answers as %s", got.Code)
	}
}

// TestCodesReturnsACopy keeps callers from rewriting the table for everyone.
func TestCodesReturnsACopy(t *testing.T) {
	sluice.Codes()[0].Status = 200
	if sluice.Codes()[0].Status == 200 {
		t.Error("a caller changed the shared table")
	}
}

// TestErrorKeepsTheCauseFromClients is the line between what operators read and
// what clients see: crossing it would leak addresses and credentials.
func TestErrorKeepsTheCauseFromClients(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:443: refused")
	wrapped := fmt.Errorf("call provider: %w", sluice.Errorf(sluice.CodeProviderError, "the provider failed").Because(cause))

	shown := sluice.AsError(wrapped)
	if shown.Code != sluice.CodeProviderError || strings.Contains(shown.Message, "10.0.0.7") {
		t.Errorf("the client is shown %q", shown.Message)
	}
	if !errors.Is(wrapped, cause) {
		t.Error("the operator lost the cause")
	}

	hidden := sluice.AsError(fmt.Errorf("read secret file: %w", io.ErrUnexpectedEOF))
	if hidden.Code != sluice.CodeInternal || hidden.Message != "internal error" {
		t.Errorf("an error without a code is shown as %s %q", hidden.Code, hidden.Message)
	}
	if sluice.AsError(nil) != nil || sluice.CodeOf(nil) != "" {
		t.Error("nil is not an error")
	}
}

// TestErrorModifiersCopy keeps shared error values from being changed by one
// request for all others.
func TestErrorModifiersCopy(t *testing.T) {
	base := sluice.Errorf(sluice.CodeRequestRate, "too many").With("bucket", "key:1")
	changed := base.At("/model").After(7).With("limit", 60).With("bucket", "key:2").Because(io.EOF)
	if base.Field != "" || base.RetryAfter != 0 || base.Unwrap() != nil || base.Details["bucket"] != "key:1" || len(base.Details) != 1 {
		t.Errorf("the original changed: %+v", base)
	}
	if changed.Field != "/model" || changed.RetryAfter != 7 || changed.Details["bucket"] != "key:2" || changed.Details["limit"] != 60 {
		t.Errorf("the copy lost something: %+v", changed)
	}
}
