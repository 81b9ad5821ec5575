package controlsuite_test

import (
	"testing"

	"github.com/sluicegate/sluice/test/controlsuite"
)

// TestDirect holds the sessions of control to the suite.
func TestDirect(t *testing.T) {
	controlsuite.Run(t, func(t testing.TB, w *controlsuite.World, p controlsuite.Person) controlsuite.Face {
		return controlsuite.Direct(w.Session(t, p))
	})
}

// TestRemote holds the client, the listener and the JSON between them to the
// same suite: were they to differ, the CLI and the SDK would lie.
func TestRemote(t *testing.T) {
	controlsuite.Run(t, func(t testing.TB, w *controlsuite.World, p controlsuite.Person) controlsuite.Face {
		return controlsuite.Remote(w.Client(t, p))
	})
}
