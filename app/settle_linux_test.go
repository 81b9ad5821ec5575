package app_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/app"
)

const smaps = `00400000-0183d000 r-xp 00000000 fe:00 12 /bin/sluice
Rss:               10968 kB
Anonymous:             0 kB
Swap:                  0 kB
0183d000-02b50000 r--p 0143d000 fe:00 12 /bin/sluice
Anonymous:             4 kB
Swap:                  0 kB
02b50000-02c52000 rw-p 02750000 fe:00 12 /bin/sluice
Anonymous:             0 kB
Swap:                  0 kB
7ffa78128000-7ffa7827e000 r-xp 00026000 fe:00 13 /lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
7ffa7827e000-7ffa7828e000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
00400000-0183d000 r--p 00000000 fe:00 12 /bin/sluice
Anonymous:             0 kB
Swap:                  8 kB
`

// Without it a page that somebody changed, a breakpoint for instance, or memory
// that is not the program's own would be thrown away.
func TestUnchangedMappings(t *testing.T) {
	if got, want := app.UnchangedMappings(smaps, "/bin/sluice"), []string{"400000-183d000"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Without it every process would keep what only its start touched.
func TestForgetProgram(t *testing.T) {
	before := residentFile(t)
	if err := app.ForgetProgram(); err != nil {
		t.Fatal(err)
	}
	after := residentFile(t)
	if after >= before {
		t.Errorf("%s of files resident, %s before", after, before)
	}
}

// residentFile is what is resident of files, as the kernel prints it.
func residentFile(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			return strings.TrimRight(strings.TrimLeft(rest, "\t"), "\n") // padded: compares as numbers do
		}
	}
	t.Fatal("no RssFile")
	return ""
}
