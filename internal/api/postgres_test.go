package api_test

import (
	"testing"

	"github.com/sluicegate/sluice/internal/sluicetest"
)

// TestAgainOnPostgres holds the same API to the same tests for those who run
// PostgreSQL.
func TestAgainOnPostgres(t *testing.T) { sluicetest.AgainOnPostgres(t) }
