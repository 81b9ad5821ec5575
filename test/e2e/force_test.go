package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// TestForcedSync takes control's database away from what was published: rows are
// deleted by hand, then the database goes back to an earlier revision. Losing this
// means that an operator has no way out but to stop every gateway.
func TestForcedSync(t *testing.T) {
	t.Parallel()
	in := installOn(t, sluicetest.Postgres(t).Schema(t))
	g := process.Start(t, in.gatewayOptions("gw-1", ""))
	kept := in.newKey(t, "kept")
	lost := make([]sluice.Key, 12)
	for i := range lost {
		lost[i] = in.newKey(t, fmt.Sprintf("lost-%d", i))
	}
	within(t, convergence, "the keys work", func() bool { return serves(t, kept.Token, g) && serves(t, lost[11].Token, g) })

	in.withoutControl(t, `DELETE FROM %[1]s.reference WHERE from_kind = 'key' AND from_id IN (SELECT id FROM %[1]s.keys WHERE name LIKE 'lost-%%'); DELETE FROM %[1]s.keys WHERE name LIKE 'lost-%%'`)
	within(t, 2*convergence, "the gateway holds back what lost most keys, and says how to go on", func() bool {
		return strings.Contains(do(t, "GET", g.Status+"/ready", "", "").body, "sluice sync --force")
	})
	if out, status := in.sync(t, "--force"); status != 0 {
		t.Fatalf("sluice sync --force: %d %s", status, out)
	}
	within(t, convergence, "the lost keys are refused, the kept one works", func() bool { return refused(t, lost[0].Token, g) && serves(t, kept.Token, g) })
	in.agree(t, convergence, "gw-1")
	if a := do(t, "GET", g.Status+"/ready", "", ""); strings.Contains(a.body, "sluice sync --force") {
		t.Errorf("the gateway still asks for force: %s", a.body)
	}

	in.withoutControl(t, `UPDATE %[1]s.sequences SET value = value - 1000 WHERE name = 'revision'; DELETE FROM %[1]s.changes`)
	out, status := in.sync(t)
	if status == 0 || !strings.Contains(out, "sluice sync --force") {
		t.Errorf("sluice sync with a restored database: %d %s", status, out)
	}
	within(t, convergence, "control says what is wrong", func() bool { return strings.Contains(in.control.Stderr(), "sluice sync --force") })
	if a := do(t, "POST", in.control.Control+"/sync/snapshot?force=true", in.token(t), ""); a.status != http.StatusOK {
		t.Errorf("POST /sync/snapshot?force=true: %d %s", a.status, a.body)
	}
	after := in.newKey(t, "after")
	within(t, convergence, "a new key works", func() bool { return serves(t, after.Token, g) })
	in.agree(t, convergence, "gw-1")
}

// withoutControl changes the database while control is stopped.
func (in *installation) withoutControl(t *testing.T, statements string) {
	t.Helper()
	in.control.Stop(t)
	_, schema, _ := strings.Cut(in.dsn, "search_path=")
	sluicetest.Postgres(t).Exec(t, fmt.Sprintf(statements, schema))
	in.control = process.Start(t, process.Options{Command: "control", Production: true, Env: in.env, Dir: in.control.Dir})
	in.admin = in.control.SignIn(t)
}

// sync runs the command.
func (in *installation) sync(t *testing.T, flags ...string) (out string, status int) {
	t.Helper()
	return process.Run(t, process.Options{Env: []string{"SLUICE_SERVER=" + in.control.Control, "SLUICE_TOKEN=" + in.token(t)}}, append([]string{"sync"}, flags...)...)
}
