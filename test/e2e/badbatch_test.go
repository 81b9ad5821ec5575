package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// TestControlRefusesBadBatches posts what no gateway sends. Losing this means
// that a broken gateway, or somebody with its token, takes control down or
// spoils the books.
func TestControlRefusesBadBatches(t *testing.T) {
	t.Parallel()
	in := installOn(t, sluicetest.Postgres(t).Schema(t))
	const events, logs = "/internal/v1/events", "/logs"
	large := strings.Repeat("x", 9<<20)
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       sluice.Code
	}{
		"records that are not JSON":   {events, `{"records":`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"records of another shape":    {events, `[1,2]`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"a record without an id":      {events, `{"records":[{"id":"good"},{"model":"m"}]}`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"a record with a long id":     {events, `{"records":[{"id":"` + strings.Repeat("i", 129) + `"}]}`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"more records than a batch":   {events, `{"records":[` + strings.Repeat(`{"id":"a"},`, 20_000) + `{"id":"b"}]}`, http.StatusRequestEntityTooLarge, sluice.CodeTooLarge},
		"records beyond every limit":  {events, `{"records":[{"id":"` + large + `"}]}`, http.StatusRequestEntityTooLarge, sluice.CodeTooLarge},
		"lines that are not JSON":     {logs, `{"a":`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"a line that is no object":    {logs, `[{"a":1},2]`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"a line that is too long":     {logs, `{"a":"` + large[:70<<10] + `"}`, http.StatusRequestEntityTooLarge, sluice.CodeTooLarge},
		"lines beyond every limit":    {logs, `{"a":"` + large + `"}`, http.StatusRequestEntityTooLarge, sluice.CodeTooLarge},
		"a status without a name":     {"/internal/v1/status", `{}`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"a status that is not JSON":   {"/internal/v1/status", `nonsense`, http.StatusBadRequest, sluice.CodeInvalidRequest},
		"a status beyond every limit": {"/internal/v1/status", `{"gateway":"` + large + `"}`, http.StatusRequestEntityTooLarge, sluice.CodeTooLarge},
	} {
		if a := do(t, "POST", in.control.Control+c.path, planeToken, c.body); a.status != c.status || !strings.Contains(a.body, string(c.code)) {
			t.Errorf("%s: %d %.200s, want %d and %s", name, a.status, a.body, c.status, c.code)
		}
	}
	page, err := in.admin.Records(t.Context(), sluice.RecordQuery{Limit: 10})
	if err != nil || len(page.Items) > 0 {
		t.Errorf("after refused batches the books hold %d records, %v", len(page.Items), err)
	}
	if a := do(t, "POST", in.control.Control+events, planeToken, `{"records":[{"id":"good","tenant":"platform"}]}`); a.status != http.StatusOK {
		t.Errorf("a good batch: %d %s", a.status, a.body)
	}
}
