package plugin

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Level says where a configuration stands; of two for the same plugin the
// higher level's is used, whole.
type Level int

// The levels, lowest precedence first. Global rules take no part in it: they
// run beside the others, before them.
const (
	LevelGlobal   Level = iota // global rules
	LevelService               // the service of the route
	LevelConfig                // a plugin configuration that several routes share
	LevelRoute                 // the route
	LevelGroup                 // the consumer's group
	LevelConsumer              // the consumer's key
)

// Layer is the plugins that one object configures.
type Layer struct {
	Level Level
	// Owner identifies the object and stays the same when it is changed, for
	// instance "routes/17".
	Owner   string
	Plugins map[string]json.RawMessage
}

// Configured is one plugin's configuration after merging.
type Configured struct {
	Name   string
	Level  Level
	Owner  string
	Config json.RawMessage
}

// Merge applies precedence: consumer over group over route over plugin
// configuration over service. Configurations are replaced, never mixed, so that
// one place says what applies. Those of global rules come first and are kept
// beside. The result is sorted by global first, then by name.
func Merge(layers ...Layer) []Configured {
	merged := map[string]Configured{}
	var global []Configured
	for _, l := range layers {
		for name, config := range l.Plugins {
			c := Configured{Name: name, Level: l.Level, Owner: l.Owner, Config: config}
			if l.Level == LevelGlobal {
				global = append(global, c)
			} else if old, ok := merged[name]; !ok || old.Level <= l.Level {
				merged[name] = c
			}
		}
	}
	return append(sorted(global), sorted(slices.Collect(maps.Values(merged)))...)
}

func sorted(list []Configured) []Configured {
	slices.SortFunc(list, func(a, b Configured) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Owner, b.Owner))
	})
	return list
}
