package plugins

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// accessRecordConfig configures access-record.
type accessRecordConfig struct {
	Fields  []string          `json:"fields,omitempty" default:"[\"id\",\"method\",\"host\",\"path\",\"status\",\"outcome\",\"code\",\"latency_ms\",\"bytes_in\",\"bytes_out\",\"client_ip\",\"key\",\"tenant\",\"route\",\"model\",\"provider\"]" enum:"id,method,host,path,status,outcome,code,latency_ms,ttft_ms,bytes_in,bytes_out,client_ip,key,user,tenant,group,route,upstream,model,provider,input_tokens,output_tokens,attempts" maxItems:"32" title:"Fields" title_zh:"字段" doc:"What a line says; nothing else is written." doc_zh:"日志行包含的字段，其余一概不写。"`
	Headers []string          `json:"headers,omitempty" format:"header" maxItems:"20" title:"Request headers" title_zh:"请求头" doc:"Headers of the request to add; credentials are masked." doc_zh:"附加的请求头；凭证会被遮蔽。"`
	Labels  map[string]string `json:"labels,omitempty" maxLength:"200" maxItems:"20" title:"Labels" title_zh:"标签" doc:"Constants to add to every line." doc_zh:"附加到每一行的常量。"`
	Queue   int               `json:"queue,omitempty" default:"1024" minimum:"1" maximum:"100000" title:"Queue" title_zh:"队列" doc:"Lines that may wait to be written; more are dropped and counted." doc_zh:"可等待写入的行数；超出者丢弃并计数。"`
}

// accessRecordPlugin writes one structured line per request, off the request's
// path (feature A10).
type accessRecordPlugin struct {
	cfg     accessRecordConfig
	log     *slog.Logger
	queue   chan line
	writing atomic.Bool
	dropped atomic.Int64
}

// line is a finished request until it is written; it holds no leased memory.
type line struct {
	record  sluice.Record
	headers []sluice.Field
}

var _ plugin.Logger = (*accessRecordPlugin)(nil)

func accessRecord() plugin.Spec {
	return plugin.Define("access-record", "Writes one structured log line per request.", priorityAccessRecord, newAccessRecord,
		plugin.SummaryZH("为每个请求写一行结构化日志。"),
		plugin.Example(`{}`),
		plugin.Example(`{"fields":["method","path","status","latency_ms"],"headers":["User-Agent"],"labels":{"env":"staging"},"queue":4096}`))
}

func newAccessRecord(cfg accessRecordConfig, env plugin.Env) (plugin.Plugin, error) {
	return &accessRecordPlugin{cfg: cfg, log: env.Log, queue: make(chan line, cfg.Queue)}, nil
}

// Log hands the request to the writer, or counts it as dropped when the queue
// is full: logging must never slow the gateway down.
func (p *accessRecordPlugin) Log(x *plugin.Exchange, r *sluice.Record) {
	select {
	case p.queue <- line{record: owned(r), headers: p.headers(x)}:
	default:
		p.dropped.Add(1)
	}
	if p.writing.CompareAndSwap(false, true) {
		go p.write()
	}
}

// write empties the queue and ends; the next line starts it again. It needs no
// one to stop it, because a plugin does not hear of its own end.
func (p *accessRecordPlugin) write() {
	for {
		select {
		case l := <-p.queue:
			p.log.LogAttrs(context.Background(), slog.LevelInfo, "access", p.attrs(l)...)
			continue
		default:
		}
		p.writing.Store(false)
		// A line that came between the two must not wait for the next request.
		if len(p.queue) == 0 || !p.writing.CompareAndSwap(false, true) {
			return
		}
	}
}

// attrs renders the fields that are allowed.
func (p *accessRecordPlugin) attrs(l line) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(p.cfg.Fields)+len(p.cfg.Labels)+len(l.headers)+1)
	for _, name := range p.cfg.Fields {
		attrs = append(attrs, slog.Any(name, recordField[name](&l.record)))
	}
	for _, h := range l.headers {
		attrs = append(attrs, slog.String("header."+h.Name, h.Value))
	}
	for name, value := range p.cfg.Labels {
		attrs = append(attrs, slog.String("label."+name, value))
	}
	if n := p.dropped.Swap(0); n > 0 {
		attrs = append(attrs, slog.Int64("dropped", n))
	}
	slices.SortStableFunc(attrs, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) })
	return attrs
}

// headers copies the configured headers, credentials masked.
func (p *accessRecordPlugin) headers(x *plugin.Exchange) []sluice.Field {
	var out []sluice.Field
	for _, name := range p.cfg.Headers {
		if v, ok := x.Original.Fields.Lookup(name); ok {
			out = append(out, sluice.Field{Name: strings.ToLower(name), Value: mask(name, v)})
		}
	}
	return out
}

// recordField reads a field by its name in a record's JSON.
var recordField = map[string]func(r *sluice.Record) any{
	"id":            func(r *sluice.Record) any { return r.ID },
	"method":        func(r *sluice.Record) any { return r.Method },
	"host":          func(r *sluice.Record) any { return r.Host },
	"path":          func(r *sluice.Record) any { return mask("", r.Path) },
	"status":        func(r *sluice.Record) any { return r.Status },
	"outcome":       func(r *sluice.Record) any { return string(r.Outcome) },
	"code":          func(r *sluice.Record) any { return string(r.Code) },
	"latency_ms":    func(r *sluice.Record) any { return r.LatencyMS },
	"ttft_ms":       func(r *sluice.Record) any { return r.TTFTMS },
	"bytes_in":      func(r *sluice.Record) any { return r.BytesIn },
	"bytes_out":     func(r *sluice.Record) any { return r.BytesOut },
	"client_ip":     func(r *sluice.Record) any { return r.ClientIP },
	"key":           func(r *sluice.Record) any { return r.Key },
	"user":          func(r *sluice.Record) any { return r.User },
	"tenant":        func(r *sluice.Record) any { return r.Tenant },
	"group":         func(r *sluice.Record) any { return r.Group },
	"route":         func(r *sluice.Record) any { return r.Route },
	"upstream":      func(r *sluice.Record) any { return r.Upstream },
	"model":         func(r *sluice.Record) any { return r.Model },
	"provider":      func(r *sluice.Record) any { return r.Provider },
	"input_tokens":  func(r *sluice.Record) any { return r.Usage.Input + r.Usage.CachedInput },
	"output_tokens": func(r *sluice.Record) any { return r.Usage.Output + r.Usage.Reasoning },
	"attempts":      func(r *sluice.Record) any { return len(r.Attempts) },
}

// owned copies a record without what lines never say, and clones the strings
// that may be spans of the request.
func owned(r *sluice.Record) sluice.Record {
	c := *r
	c.Plugins = nil
	c.Attempts = slices.Clone(r.Attempts)
	for _, s := range []*string{&c.ID, &c.Method, &c.Host, &c.Path, &c.ClientIP, &c.Operation, &c.Model} {
		*s = strings.Clone(*s)
	}
	return c
}

const masked = "***"

var (
	// sensitiveName matches fields whose values are credentials by their nature.
	sensitiveName = regexp.MustCompile(`(?i)(authorization|cookie|token|secret|password|api-?key|signature|session)`)
	// keyShape matches credentials of known shape wherever they stand: ours,
	// the large providers', cloud access keys, and JSON web tokens.
	keyShape = regexp.MustCompile(`(slc_[a-z]+_[A-Za-z0-9_]+|sk-[A-Za-z0-9_-]{8,}|AIza[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{12,}|gh[pousr]_[A-Za-z0-9]{20,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)`)
)

// mask replaces what may be a credential, by the field's name and by the shape
// of the value. The result shares no memory with the request.
func mask(name, value string) string {
	if name != "" && sensitiveName.MatchString(name) {
		return masked
	}
	return strings.Clone(keyShape.ReplaceAllString(value, masked))
}
