package money_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sluicegate/sluice/test/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// rounds is how often something is done: few times in `make test`, where tests
// run beside each other because they mostly wait, and as often as
// SLUICE_TEST_KILLS says in `make faults`.
func rounds(t *testing.T, few int) int {
	t.Helper()
	if testing.Short() {
		t.Skip("real processes take too long for short tests")
	}
	text := os.Getenv("SLUICE_TEST_KILLS")
	if text == "" {
		t.Parallel()
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return max(n, few)
}

// long reports whether this is `make faults`.
func long() bool { return os.Getenv("SLUICE_TEST_KILLS") != "" }

// outage is how long `make faults` takes the database away for once, by
// SLUICE_TEST_OUTAGE; 0 is not at all.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SLUICE_TEST_OUTAGE")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// onlyLong skips what `make test` has no time for.
func onlyLong(t *testing.T) {
	t.Helper()
	if !long() {
		t.Skip("make faults plays this")
	}
}

// within polls until it holds and returns how long that took.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}
