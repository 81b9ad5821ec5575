package app_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/app"
)

// TestLockFolder keeps two processes from writing one database.
func TestLockFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	unlock, err := app.LockFolder(dir, app.RoleServe)
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.LockFolder(dir, app.RoleServe)
	if sluice.CodeOf(err) != sluice.CodeDataLocked || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	again, err := app.LockFolder(dir, app.RoleServe)
	if err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	again()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may look into the data folder: %v %v", info, err)
	}
}

// TestLockFolderNamesTheSetting tells what to change when the folder is no good.
func TestLockFolderNamesTheSetting(t *testing.T) {
	file := write(t, t.TempDir(), "file", "")
	if _, err := app.LockFolder(filepath.Join(file, "below"), app.RoleServe); sluice.CodeOf(err) != sluice.CodeConfig || !strings.Contains(err.Error(), "SLUICE_DATA_DIR") {
		t.Errorf("got %v", err)
	}
}

// TestBusyAddressNamesTheSetting turns "address already in use" into advice.
func TestBusyAddressNamesTheSetting(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, err = app.Listen(t.Context(), "gateway", busy.Addr().String(), "SLUICE_GATEWAY_ADDR")
	if sluice.CodeOf(err) != sluice.CodeAddressInUse || !strings.Contains(err.Error(), "SLUICE_GATEWAY_ADDR") {
		t.Errorf("got %v", err)
	}
	if _, err = app.Listen(t.Context(), "gateway", "192.0.2.1:0", "SLUICE_GATEWAY_ADDR"); sluice.CodeOf(err) != sluice.CodeConfig || !strings.Contains(err.Error(), "SLUICE_GATEWAY_ADDR") {
		t.Errorf("got %v", err)
	}
}
