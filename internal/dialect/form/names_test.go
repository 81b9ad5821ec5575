package form_test

import (
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// A name that does not find its way back is a call of a tool that the client
// does not have.
func TestToolNamesFindTheirWayBack(t *testing.T) {
	var target form.Target
	for _, c := range []struct{ name, want string }{
		{"plain", "plain"}, {"a.b", "a_b"}, {"a:b", "a_b_2"}, {"a_b", "a_b_3"}, {"a.b", "a_b"},
		{"grüße", "gr__e"}, {"toolong-name", "toolong-"}, {"toolong-other", "toolon_2"},
	} {
		got := target.ToolName(c.name, 8, "")
		if got != c.want {
			t.Errorf("%q is told as %q, want %q", c.name, got, c.want)
		}
		if back, custom := target.ClientTool(got); back != c.name || custom {
			t.Errorf("%q comes back as %q, custom %v", c.name, back, custom)
		}
	}
	if got := target.ToolName("x.y", 8, "."); got != "x.y" {
		t.Errorf("an allowed byte was changed: %q", got)
	}
	target.CustomTool("plain")
	if back, custom := target.ClientTool("plain"); back != "plain" || !custom {
		t.Errorf("a custom tool comes back as %q, custom %v", back, custom)
	}
	if back, _ := target.ClientTool("unknown"); back != "unknown" {
		t.Errorf("an unknown name became %q", back)
	}
}
