package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sluicegate/sluice"
)

// lockName is the lock's file in the data folder: control owns the database
// there, a gateway the last good configuration.
func lockName(role Role) string {
	if role == RoleGateway {
		return "gateway.lock"
	}
	return "sluice.lock"
}

// lockFolder takes the data folder for this process of its kind alone, creating it when
// needed. The kernel drops the lock with the process, however it ends, so a
// killed one leaves nothing to clean up. A folder in use is
// [sluice.CodeDataLocked] naming the process that has it.
func lockFolder(dir string, role Role) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "cannot create the data folder %s (SLUICE_DATA_DIR)", dir).Because(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName(role)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "cannot write to the data folder %s (SLUICE_DATA_DIR)", dir).Because(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, sluice.Errorf(sluice.CodeDataLocked,
				"the data folder %s is in use by another Sluice process%s; stop it, or choose another SLUICE_DATA_DIR", dir, holder(f))
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if err := writeHolder(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return func() { _ = f.Close() }, nil
}

// holder tells which process wrote the lock file, for people.
func holder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return " (pid " + pid + ")"
	}
	return ""
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}
