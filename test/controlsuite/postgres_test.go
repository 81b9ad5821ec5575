package controlsuite_test

import (
	"testing"

	"github.com/sluicegate/sluice/internal/sluicetest"
)

// TestAgainOnPostgres holds both faces to the suite once more, for those who run
// PostgreSQL.
func TestAgainOnPostgres(t *testing.T) { sluicetest.AgainOnPostgres(t) }
