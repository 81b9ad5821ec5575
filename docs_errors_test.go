package sluice_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// TestErrorsDoc generates docs/errors.md from the code table (run with -update),
// so that the page behind every doc_url is never out of date.
func TestErrorsDoc(t *testing.T) {
	golden(t, "docs/errors.md", []byte(errorsPage()))
}

func errorsPage() string {
	var b strings.Builder
	b.WriteString("# Error codes\n\n")
	b.WriteString("Generated from the table in `codes.go` by `make golden`; do not edit.\n\n")
	b.WriteString("Own surfaces answer `{\"error\":{code, message, message_i18n{zh_CN, en_US}, details, trace_id, retryable, doc_url}}`;\n")
	b.WriteString("LLM surfaces answer in the shape of the API that the client speaks, with the same code inside.\n")
	b.WriteString("Codes are stable; branch on them, never on messages.\n\n")
	b.WriteString("| Code | HTTP | Retryable | Meaning |\n|---|---|---|---|\n")
	for _, row := range sluice.Codes() {
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %s | %s |\n", row.Code, strings.ToLower(string(row.Code)), row.Status, yesNo(row.Retryable), row.English)
	}
	for _, row := range sluice.Codes() {
		fmt.Fprintf(&b, "\n## %s\n\n%s %s\n\nHTTP %d, retryable: %s. %s\n", row.Code, row.English, row.Chinese, row.Status, yesNo(row.Retryable), row.Remedy)
	}
	return b.String()
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}
