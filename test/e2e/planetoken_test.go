package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// TestGatewayWithAnotherPlaneToken starts a gateway that control refuses. Losing
// this means that it looks healthy while its records wait for ever.
func TestGatewayWithAnotherPlaneToken(t *testing.T) {
	t.Parallel()
	in := installOn(t, sluicetest.Postgres(t).Schema(t))
	opts := in.gatewayOptions("gw-1", "")
	opts.Env = append(opts.Env, "SLUICE_PLANE_TOKEN=p7H2sD9fG4jK1lQ8wE5rT3yU")
	g := process.Start(t, opts)
	within(t, 2*convergence, "the gateway says that control refuses it", func() bool {
		a := do(t, "GET", g.Status+"/ready", "", "")
		return a.status == 200 && strings.Contains(a.body, `"degraded"`) && strings.Contains(a.body, "SLUICE_PLANE_TOKEN")
	})
	if metric(t, g, "sluice_degraded") != 1 {
		t.Error("/metrics does not call the gateway degraded")
	}
	token := in.token(t)
	within(t, 2*convergence, "control shows it", func() bool {
		var list struct{ Items []sluice.GatewayStatus }
		a := do(t, "GET", in.control.Control+"/admin/v1/gateways", token, "")
		if err := json.Unmarshal([]byte(a.body), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Items) == 1 && list.Items[0].Health == "degraded" && strings.Contains(list.Items[0].Reason, "SLUICE_PLANE_TOKEN") && !list.Items[0].Started.IsZero()
	})
}
