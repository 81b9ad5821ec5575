// Package builtin makes the registry of every surface and dialect that comes
// with Sluice. It is apart from package dialect so that the protocols can
// import their contract.
package builtin

import (
	"time"

	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/anthropic"
	"github.com/sluicegate/sluice/internal/dialect/demo"
	"github.com/sluicegate/sluice/internal/dialect/gemini"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// Registry returns the built-in surfaces and dialects. now is the clock of the
// demo provider; nil means [time.Now].
func Registry(now func() time.Time) *dialect.Registry {
	if now == nil {
		now = time.Now
	}
	dialects := append(openai.Dialects(), anthropic.Dialect{}, demo.New(demo.Config{Now: now}), gemini.Dialect{})
	return dialect.NewRegistry([]dialect.Surface{openai.Surface{}, anthropic.Surface{}, gemini.Surface{}}, dialects)
}
