package api

import (
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
)

// maxETags bounds the list of an If-Match header.
const maxETags = 16

// WriteQuery makes a write conditional, repeatable or a trial.
type WriteQuery struct {
	IfMatch string `header:"If-Match" doc:"Write only if the object still has this ETag, or one of these, or with * any; otherwise 412."`
	DryRun  bool   `query:"dry_run" doc:"Check everything and answer as if it were done, but keep nothing."`
}

// options reads If-Match and dry_run.
func (q WriteQuery) options() (sluice.WriteOptions, error) {
	opts := sluice.WriteOptions{DryRun: q.DryRun}
	if opts.IfExists = strings.TrimSpace(q.IfMatch) == "*"; opts.IfExists || q.IfMatch == "" {
		return opts, nil
	}
	versions, err := parseETags(q.IfMatch)
	if err != nil {
		return opts, err
	}
	if len(versions) == 0 {
		return opts, sluice.Errorf(sluice.CodePrecondition, "If-Match %s names no version of this object", clipped(q.IfMatch)).At("If-Match")
	}
	opts.IfMatch, opts.AlsoMatch = versions[0], versions[1:]
	return opts, nil
}

// parseETags returns the versions that a list of ETags names (RFC 9110, section
// 13.1.1). Weak ETags and those of somebody else match nothing and are left out.
func parseETags(list string) ([]uint64, error) {
	malformed := invalid("If-Match", "If-Match must be *, or up to %d ETags such as \"3\", separated by commas", maxETags)
	var versions []uint64
	for count := 1; ; count++ {
		list = strings.TrimSpace(list)
		opaque, weak := strings.CutPrefix(list, "W/")
		opaque, quoted := strings.CutPrefix(opaque, `"`)
		tag, rest, closed := strings.Cut(opaque, `"`)
		if !quoted || !closed || count > maxETags {
			return nil, malformed
		}
		if version, err := strconv.ParseUint(tag, 10, 64); err == nil && version != 0 && !weak {
			versions = append(versions, version)
		}
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return versions, nil
		}
		if list, closed = strings.CutPrefix(rest, ","); !closed {
			return nil, malformed
		}
	}
}

// onlyCreate reads If-None-Match of a PUT.
func onlyCreate(header string) (bool, error) {
	if header != "" && header != "*" {
		return false, invalid("If-None-Match", "If-None-Match must be * here")
	}
	return header == "*", nil
}

// etag renders a version as a strong ETag (RFC 9110, section 8.8.3).
func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }
