package sluice

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// SurfaceHTTP is the surface of plain services; every other surface is the name
// of a client-facing API that internal/dialect knows.
const SurfaceHTTP = "http"

var (
	hostPattern  = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9_.-]{0,253}[a-zA-Z0-9])?|[0-9a-fA-F:.]+)$`)
	routeHost    = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	methodToken  = regexp.MustCompile(`^[A-Z]{1,20}$`)
	paramSegment = regexp.MustCompile(`^:[a-zA-Z_][a-zA-Z0-9_]{0,31}$`)
)

// Route maps requests to where they go. Whether it leads to an LLM is data: its
// Surface says what the client speaks; without an Upstream the providers of the
// key's group (or of Group) are the targets.
type Route struct {
	Meta
	// Hosts it answers for: exact or "*.example.com"; empty is any.
	Hosts []string `json:"hosts,omitempty" maxItems:"100"`
	// Paths it answers for: exact "/a", prefix "/a/*", parameter "/a/:id".
	Paths []string `json:"paths" minItems:"1" maxItems:"100"`
	// Methods it answers for, upper case; empty is any.
	Methods []string `json:"methods,omitempty" maxItems:"20"`
	// Vars is a condition on the request in the notation of APISIX, for instance
	// [["http_x_env","==","test"],["arg_v","~~","^2"]]; all of its parts must
	// hold. It may name what a request brings along: arg_*, cookie_*, http_*,
	// remote_addr, host, method, uri and the like.
	Vars []any `json:"vars,omitempty" maxItems:"128"`
	// Priority decides among routes that match; the higher number wins, then
	// the more exact host, then the more exact path, then the lower id.
	Priority int `json:"priority,omitempty" minimum:"-1000" maximum:"1000"`
	// Surface is what the client speaks: http (a plain service) or an LLM API;
	// empty means http.
	Surface string `json:"surface,omitempty" maxLength:"64"`
	// Upstream names the service; required when Surface is http.
	Upstream string `json:"upstream,omitempty"`
	// Group pins an LLM route to a group instead of the key's own.
	Group string `json:"group,omitempty"`
	// StripPrefix is removed from the path before forwarding.
	StripPrefix string `json:"strip_prefix,omitempty" maxLength:"1024"`
	// Plugins configures plugins by name; see GET /admin/v1/plugins.
	Plugins map[string]json.RawMessage `json:"plugins,omitempty"`
	// MaxBodyBytes limits the request body; 0 means 10 MiB for plain routes and
	// 32 MiB for LLM routes.
	MaxBodyBytes int64 `json:"max_body_bytes,omitempty" minimum:"0" maximum:"1073741824"`
	// KeepAliveSeconds makes the gateway write a sign of life into a stream that
	// has begun and whose target was silent for so long; 0 writes none.
	KeepAliveSeconds int    `json:"keep_alive_seconds,omitempty" minimum:"0" maximum:"300"`
	Status           Status `json:"status,omitempty" enum:"active,disabled"`
}

// Kind returns [KindRoute].
func (*Route) Kind() Kind { return KindRoute }

// Normalize implements [Object].
func (r *Route) Normalize() {
	r.Surface = orDefault(r.Surface, SurfaceHTTP)
	r.Status = orDefault(r.Status, StatusActive)
	def := int64(10 << 20)
	if r.Surface != SurfaceHTTP {
		def = 32 << 20
	}
	r.MaxBodyBytes = orDefault(r.MaxBodyBytes, def)
}

// Validate implements [Object]. Plugin configurations and the surface's name
// are checked by control, which knows the plugins and dialects.
func (r *Route) Validate() error {
	if err := r.validate(namePattern); err != nil {
		return err
	}
	for i, h := range r.Hosts {
		if !routeHost.MatchString(h) {
			return Errorf(CodeInvalidRequest, "host %q must be a lower-case name or *.name", clip(h)).At(fmt.Sprintf("/hosts/%d", i))
		}
	}
	if len(r.Paths) == 0 || len(r.Paths) > 100 {
		return Errorf(CodeInvalidRequest, "a route has 1 to 100 paths").At("/paths")
	}
	for i, p := range r.Paths {
		if !validPath(p) {
			return Errorf(CodeInvalidRequest, "path %q must begin with / and may hold :name segments and a final /*", clip(p)).At(fmt.Sprintf("/paths/%d", i))
		}
	}
	for i, m := range r.Methods {
		if !methodToken.MatchString(m) {
			return Errorf(CodeInvalidRequest, "method %q must be upper case", clip(m)).At(fmt.Sprintf("/methods/%d", i))
		}
	}
	if r.Surface == SurfaceHTTP && r.Upstream == "" {
		return Errorf(CodeInvalidRequest, "upstream is required on the http surface").At("/upstream")
	}
	if r.StripPrefix != "" && !strings.HasPrefix(r.StripPrefix, "/") {
		return Errorf(CodeInvalidRequest, "strip_prefix must begin with /").At("/strip_prefix")
	}
	if r.MaxBodyBytes < 0 || r.MaxBodyBytes > 1<<30 {
		return Errorf(CodeInvalidRequest, "max_body_bytes must be 0 to 1073741824").At("/max_body_bytes")
	}
	if r.KeepAliveSeconds < 0 || r.KeepAliveSeconds > 300 {
		return Errorf(CodeInvalidRequest, "keep_alive_seconds must be 0 to 300").At("/keep_alive_seconds")
	}
	return validStatus(r.Status)
}

// Refs implements [Object].
func (r *Route) Refs() []Ref {
	refs := []Ref{{Field: "/tenant", Kind: KindTenant, Name: r.Tenant}}
	if r.Upstream != "" {
		refs = append(refs, Ref{Field: "/upstream", Kind: KindUpstream, Name: r.Upstream})
	}
	if r.Group != "" {
		refs = append(refs, Ref{Field: "/group", Kind: KindGroup, Name: r.Group})
	}
	return refs
}

// validPath checks one path pattern.
func validPath(p string) bool {
	if !strings.HasPrefix(p, "/") || len(p) > 1024 || strings.ContainsAny(p, "?# \t\r\n\\") {
		return false
	}
	segments := strings.Split(p[1:], "/")
	last := len(segments) - 1
	if segments[last] == "*" {
		segments = segments[:last]
	}
	return !slices.ContainsFunc(segments, func(s string) bool {
		return strings.Contains(s, "*") || s == "." || s == ".." || strings.HasPrefix(s, ":") && !paramSegment.MatchString(s)
	})
}
