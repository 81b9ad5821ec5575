package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// limitCountConfig configures limit-count.
type limitCountConfig struct {
	Count         int64    `json:"count,omitempty" default:"100" minimum:"1" maximum:"1000000000" title:"Count" title_zh:"次数" doc:"How many requests a window allows, and how many may come at once." doc_zh:"每个时间窗口允许的请求数，也是可同时到达的请求数。"`
	WindowSeconds int64    `json:"window_seconds,omitempty" default:"60" minimum:"1" maximum:"2678400" title:"Window (s)" title_zh:"窗口（秒）" doc:"Length of the window in seconds; the count refills evenly over it." doc_zh:"窗口长度（秒），额度在窗口内匀速恢复。"`
	By            string   `json:"by,omitempty" default:"ip" enum:"ip,key,vars" title:"Counted by" title_zh:"计数依据" doc:"ip counts per client address (IPv6 by /64), key per key, vars per combination of variables; what is absent falls back to the address." doc_zh:"ip 按客户端地址（IPv6 按 /64）计数，key 按密钥计数，vars 按变量组合计数；取值缺失时按地址计数。"`
	Vars          []string `json:"vars,omitempty" minLength:"1" maxLength:"128" maxItems:"8" title:"Variables" title_zh:"变量" doc:"Names such as arg_user or http_x_app." doc_zh:"变量名，例如 arg_user 或 http_x_app。" sluice:"showIf=by:vars"`
	RejectedCode  int      `json:"rejected_code,omitempty" default:"429" minimum:"400" maximum:"599" title:"Status when refused" title_zh:"拒绝时的状态码" doc:"HTTP status of a refusal." doc_zh:"拒绝请求时返回的 HTTP 状态码。" sluice:"group=refusal"`
	RejectedMsg   string   `json:"rejected_msg,omitempty" maxLength:"500" title:"Message when refused" title_zh:"拒绝时的消息" doc:"What a refused client is told instead of the usual message." doc_zh:"拒绝请求时返回的消息，代替默认消息。" sluice:"group=refusal"`
}

// limitCountPlugin limits requests per client (feature A6). It only claims;
// Admission counts.
type limitCountPlugin struct {
	cfg    limitCountConfig
	prefix string // of every bucket: the plugin and the object that configures it
}

var (
	_ plugin.Accessor       = (*limitCountPlugin)(nil)
	_ plugin.HeaderFilterer = (*limitCountPlugin)(nil)
)

func limitCount() plugin.Spec {
	return plugin.Define("limit-count", "Limits how many requests a client may make in a time.", priorityLimitCount, newLimitCount,
		plugin.SummaryZH("限制客户端在一段时间内的请求数。"),
		plugin.Example(`{}`),
		plugin.Example(`{"count":1000,"window_seconds":3600,"by":"key"}`),
		plugin.Example(`{"count":5,"window_seconds":1,"by":"vars","vars":["remote_addr","arg_user"],"rejected_code":503,"rejected_msg":"Slow down, please."}`))
}

func newLimitCount(cfg limitCountConfig, env plugin.Env) (plugin.Plugin, error) {
	if (cfg.By == "vars") != (len(cfg.Vars) > 0) {
		return nil, sluice.Errorf(sluice.CodePluginConfig, "/vars must list variables when by is vars, and only then").At("/vars")
	}
	for i, name := range cfg.Vars {
		if !plugin.KnownVar(name) {
			return nil, sluice.Errorf(sluice.CodePluginConfig, "/vars/%d: there is no variable %q", i, name).At("/vars/" + strconv.Itoa(i))
		}
	}
	return &limitCountPlugin{cfg: cfg, prefix: "limit-count:" + env.Owner + ":"}, nil
}

// Access claims one request of the client's bucket.
func (p *limitCountPlugin) Access(x *plugin.Exchange) error {
	c := sluice.Claim{
		Kind: sluice.ClaimRequests, Bucket: p.prefix + p.client(x),
		Limit: p.cfg.Count, Window: time.Duration(p.cfg.WindowSeconds) * time.Second, Amount: 1,
	}
	if p.cfg.RejectedMsg != "" {
		x.ClaimSaying(c, p.cfg.RejectedMsg)
	} else {
		x.Claim(c)
	}
	return nil
}

// HeaderFilter gives a refusal of this plugin's own claim the configured status.
func (p *limitCountPlugin) HeaderFilter(x *plugin.Exchange) error {
	if x.Origin != plugin.OriginGateway || x.Err == nil || x.Err.Code != sluice.CodeRequestRate {
		return nil
	}
	if bucket, _ := x.Err.Details["bucket"].(string); strings.HasPrefix(bucket, p.prefix) {
		x.Response.Status = p.cfg.RejectedCode
	}
	return nil
}

// client says who is counted. Kinds have different prefixes, so that no client
// can choose a value that falls into another's bucket.
func (p *limitCountPlugin) client(x *plugin.Exchange) string {
	switch {
	case p.cfg.By == "key" && x.Consumer.Key != nil:
		return "key:" + strconv.FormatUint(x.Consumer.Key.ID, 10)
	case p.cfg.By == "vars":
		if v, ok := combine(x, p.cfg.Vars); ok {
			return "vars:" + v
		}
	}
	return "ip:" + network(x.ClientIP)
}

// maxBucketValue is the longest combination that is kept as it is.
const maxBucketValue = 64

// combine joins the variables with their lengths, which keeps ("a","bc") apart
// from ("ab","c"); a long result is hashed, because clients choose it. ok is
// false when none of them exists.
func combine(x *plugin.Exchange, names []string) (joined string, ok bool) {
	var b strings.Builder
	for _, name := range names {
		v, exists := x.Var(name)
		ok = ok || exists
		b.WriteString(strconv.Itoa(len(v)))
		b.WriteByte('=')
		b.WriteString(v)
		b.WriteByte(';')
	}
	if b.Len() > maxBucketValue {
		sum := sha256.Sum256([]byte(b.String()))
		return hex.EncodeToString(sum[:]), ok
	}
	return b.String(), ok
}

// network is the address that limits count by: whoever has an IPv6 /64 has all
// of its addresses.
func network(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr.String()
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
