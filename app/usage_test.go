package app_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice/app"
)

// Lost if it fails: who mistypes a command reads the mistake twice over.
func TestMistakesAreToldOnce(t *testing.T) {
	for _, args := range [][]string{{"billing", "adjust", "-25"}, {"billing", "adjust", "--", "-25"}, {"keys", "get"}, {"billing", "nonsense"}} {
		var out strings.Builder
		if status := app.Run(t.Context(), &out, &out, nil, args); status != 2 || strings.Count(out.String(), "CONFIG_001") != 1 || strings.Count(out.String(), "; see `") > 1 {
			t.Errorf("%q ends with %d: %s", args, status, out.String())
		}
	}
}
