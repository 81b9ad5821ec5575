package money_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/sluicegate/sluice/test/process"
)

// newborn is a process that is killed before it is ready.
type newborn struct{ cmd *exec.Cmd }

// launch starts a process and does not wait for it.
func launch(t *testing.T, opts process.Options) newborn {
	t.Helper()
	cmd := exec.Command(process.Binary(t), "serve")
	cmd.Dir = opts.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + opts.Dir, "SLUICE_GATEWAY_ADDR=127.0.0.1:0", "SLUICE_CONTROL_ADDR=127.0.0.1:0", "SLUICE_STATUS_ADDR=127.0.0.1:0"}, opts.Env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return newborn{cmd}
}

// kill ends it with SIGKILL and waits for it.
func (p newborn) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	_ = p.cmd.Wait()
}
