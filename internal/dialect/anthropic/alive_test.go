package anthropic_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/anthropic"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

// A sign of life that is not one whole event would garble the one behind it.
func TestKeepAliveIsOnePing(t *testing.T) {
	s := sse.Scanner{Max: 1 << 10}
	s.Push(anthropic.Surface{}.KeepAlive())
	var ev sse.Event
	if !s.Next(&ev) || string(ev.Name) != "ping" || !strings.Contains(string(ev.Data), `"ping"`) || s.Next(&ev) || s.Partial() {
		t.Errorf("got %q", ev.Raw)
	}
}
