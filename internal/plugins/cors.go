package plugins

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// corsConfig configures cors.
type corsConfig struct {
	AllowOrigins     []string `json:"allow_origins,omitempty" minLength:"1" maxLength:"255" maxItems:"100" title:"Allowed origins" title_zh:"允许的来源" doc:"Exact origins such as https://app.example.com, or * for any; without origins and patterns, any." doc_zh:"精确的来源，例如 https://app.example.com；* 表示任意来源；来源和正则均为空时也表示任意来源。"`
	AllowOriginRegex []string `json:"allow_origin_regex,omitempty" format:"regex" maxItems:"20" title:"Allowed origins (patterns)" title_zh:"允许的来源（正则）" doc:"Patterns that a whole origin must match; they count when no exact origin does." doc_zh:"须完整匹配来源的正则表达式。"`
	AllowMethods     []string `json:"allow_methods,omitempty" default:"[\"GET\",\"HEAD\",\"POST\",\"PUT\",\"PATCH\",\"DELETE\",\"OPTIONS\"]" pattern:"^[A-Z]{1,20}$" maxItems:"20" title:"Allowed methods" title_zh:"允许的方法" doc:"Methods that a page may use." doc_zh:"页面可以使用的方法。"`
	AllowHeaders     []string `json:"allow_headers,omitempty" default:"[\"*\"]" format:"header" maxItems:"100" title:"Allowed headers" title_zh:"允许的请求头" doc:"Headers that a page may send; * allows what it asks for." doc_zh:"页面可以发送的请求头；* 表示允许其请求的全部。"`
	ExposeHeaders    []string `json:"expose_headers,omitempty" format:"header" maxItems:"100" title:"Exposed headers" title_zh:"暴露的响应头" doc:"Headers of the answer that a page may read." doc_zh:"页面可以读取的响应头。"`
	MaxAgeSeconds    int      `json:"max_age_seconds,omitempty" default:"600" minimum:"0" maximum:"86400" title:"Preflight cache (s)" title_zh:"预检缓存（秒）" doc:"How long browsers may keep the answer to a preflight." doc_zh:"浏览器可缓存预检结果的时间（秒）。"`
	AllowCredentials bool     `json:"allow_credentials,omitempty" default:"false" title:"Allow credentials" title_zh:"允许凭证" doc:"Lets pages send cookies; it needs origins that are listed." doc_zh:"允许页面携带 Cookie；此时须列出具体来源。"`
}

// corsPlugin answers preflights and marks answers for browsers (the Fetch
// standard's CORS protocol, feature A7).
type corsPlugin struct {
	cfg      corsConfig
	any      bool // every origin is allowed
	patterns []*regexp.Regexp
}

var (
	_ plugin.Accessor       = (*corsPlugin)(nil)
	_ plugin.HeaderFilterer = (*corsPlugin)(nil)
)

func cors() plugin.Spec {
	return plugin.Define("cors", "Lets web pages of other origins call the route.", priorityCORS, newCORS,
		plugin.BeforeConsumer(), plugin.SummaryZH("允许其他来源的网页调用该路由。"),
		plugin.Example(`{}`),
		plugin.Example(`{"allow_origins":["https://app.example.com"],"allow_origin_regex":["https://[a-z]+\\.example\\.org"],"allow_credentials":true,"expose_headers":["X-Request-Id"],"max_age_seconds":3600}`))
}

// exactOrigin is how a browser writes an origin: no path, no final slash.
var exactOrigin = regexp.MustCompile(`^(null|[a-z][a-z0-9+.-]*://[^/\s@?#]+)$`)

func newCORS(cfg corsConfig, _ plugin.Env) (plugin.Plugin, error) {
	listed := len(cfg.AllowOrigins)+len(cfg.AllowOriginRegex) > 0
	p := &corsPlugin{cfg: cfg, any: !listed || slices.Contains(cfg.AllowOrigins, "*")}
	if p.any && cfg.AllowCredentials {
		return nil, sluice.Errorf(sluice.CodePluginConfig, "/allow_credentials needs origins that are listed: with * any page could act as the user").At("/allow_credentials")
	}
	for i, origin := range cfg.AllowOrigins {
		if origin != "*" && !exactOrigin.MatchString(origin) {
			return nil, sluice.Errorf(sluice.CodePluginConfig, "/allow_origins/%d: no browser sends %q as an origin; write scheme://host[:port]", i, origin).At("/allow_origins/" + strconv.Itoa(i))
		}
	}
	for _, pattern := range cfg.AllowOriginRegex {
		// Anchored, because an unanchored one allows https://example.org.evil.net.
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			return nil, sluice.Errorf(sluice.CodePluginConfig, "/allow_origin_regex holds %q, which is not an expression by itself", pattern).At("/allow_origin_regex")
		}
		p.patterns = append(p.patterns, re)
	}
	return p, nil
}

// Access answers a preflight; it never reaches authentication, because browsers
// send it without credentials.
func (p *corsPlugin) Access(x *plugin.Exchange) error {
	h := x.Request
	if h.Method != "OPTIONS" || h.Fields.Get("Origin") == "" || h.Fields.Get("Access-Control-Request-Method") == "" {
		return nil
	}
	var f sluice.Fields
	if p.allows(h.Fields.Get("Origin")) {
		f.Add("Access-Control-Allow-Methods", strings.Join(p.cfg.AllowMethods, ", "))
		if allowed := p.headers(h.Fields.Get("Access-Control-Request-Headers")); allowed != "" {
			f.Add("Access-Control-Allow-Headers", allowed)
		}
		f.Add("Access-Control-Max-Age", strconv.Itoa(p.cfg.MaxAgeSeconds))
	}
	f.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	x.Respond(204, &f, nil)
	return nil
}

// HeaderFilter marks the answer, errors included: a page that may not read an
// error cannot show it. What a service says about CORS itself is replaced,
// because two answers contradict each other.
func (p *corsPlugin) HeaderFilter(x *plugin.Exchange) error {
	f := &x.Response.Fields
	for _, name := range [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		f.Del(name)
	}
	if !p.any {
		vary(f, "Origin") // also without Origin: a cache must not serve this to a page
	}
	origin := x.Request.Fields.Get("Origin")
	if origin == "" || !p.allows(origin) {
		return nil
	}
	if p.any {
		origin = "*"
	}
	f.Add("Access-Control-Allow-Origin", origin)
	if p.cfg.AllowCredentials {
		f.Add("Access-Control-Allow-Credentials", "true")
	}
	if len(p.cfg.ExposeHeaders) > 0 {
		f.Add("Access-Control-Expose-Headers", strings.Join(p.cfg.ExposeHeaders, ", "))
	}
	return nil
}

// allows reports whether pages of the origin may call.
func (p *corsPlugin) allows(origin string) bool {
	return p.any || slices.Contains(p.cfg.AllowOrigins, origin) ||
		slices.ContainsFunc(p.patterns, func(re *regexp.Regexp) bool { return re.MatchString(origin) })
}

// headers returns what a page may send. The wildcard repeats what was asked
// for, because a literal * does not cover Authorization, nor requests with
// credentials.
func (p *corsPlugin) headers(asked string) string {
	if slices.Contains(p.cfg.AllowHeaders, "*") {
		return asked
	}
	return strings.Join(p.cfg.AllowHeaders, ", ")
}

// vary adds a name to Vary unless it is there.
func vary(f *sluice.Fields, name string) {
	for i := range f.Len() {
		if at := f.At(i); strings.EqualFold(at.Name, "Vary") {
			for listed := range strings.SplitSeq(at.Value, ",") {
				if listed = strings.TrimSpace(listed); listed == "*" || strings.EqualFold(listed, name) {
					return
				}
			}
		}
	}
	f.Add("Vary", name)
}
