// Package plugins holds the built-in plugins, one file each. They use nothing
// but the public contract of package plugin, so that a plugin from elsewhere
// can do whatever these do. They keep no count of requests: what limits claims,
// and Admission counts.
//
// [All] lists them; [Filters] compiles the predicates of their _meta.filter.
package plugins

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/expr"
	"github.com/sluicegate/sluice/plugin"
)

// Priorities of the built-in plugins, the higher first; they are APISIX's where
// it has the plugin, so that a configuration means the same here.
const (
	priorityRequestID     = 12_015
	priorityCORS          = 4_000
	priorityIPRestriction = 3_000
	priorityKeyAuth       = 2_500
	priorityLimitCount    = 1_002
	priorityAccessRecord  = 400
)

// All returns the built-in plugins.
func All() []plugin.Spec {
	return []plugin.Spec{requestID(), cors(), ipRestriction(), keyAuth(), limitCount(), accessRecord()}
}

// Filters compiles _meta.filter by package expr; it is the
// [plugin.FilterCompiler] of a process that has these plugins.
func Filters(raw json.RawMessage) (func(plugin.Vars) bool, error) {
	p, err := expr.Compile(raw, plugin.KnownVar)
	if err != nil {
		return nil, err
	}
	return func(v plugin.Vars) bool { return p.Match(v) }, nil
}
