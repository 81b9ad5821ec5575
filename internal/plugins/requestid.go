package plugins

import (
	"regexp"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// requestIDConfig configures request-id.
type requestIDConfig struct {
	HeaderName        string `json:"header_name,omitempty" default:"X-Request-Id" format:"header" title:"Header" title_zh:"请求头名称" doc:"Field that carries the id." doc_zh:"携带请求 ID 的字段。"`
	AcceptIncoming    bool   `json:"accept_incoming,omitempty" default:"true" title:"Accept the client's" title_zh:"接受客户端的 ID" doc:"Passes on an id that the client sent, if it is well formed." doc_zh:"若客户端发送的 ID 格式正确则沿用。"`
	IncludeInResponse bool   `json:"include_in_response,omitempty" default:"true" title:"Include in the answer" title_zh:"写入响应" doc:"Sends the id back to the client. X-Request-Id itself is on every answer." doc_zh:"将 ID 返回给客户端。X-Request-Id 始终会返回。"`
}

// requestIDPlugin carries a correlation id to the service and back (feature
// A10). It never becomes the exchange's own id: records are deduplicated by
// that, and a client must not choose it.
type requestIDPlugin struct{ cfg requestIDConfig }

var (
	_ plugin.Accessor       = (*requestIDPlugin)(nil)
	_ plugin.HeaderFilterer = (*requestIDPlugin)(nil)
)

// incomingID is what is passed on: no spaces, nothing that breaks a log line.
var incomingID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

func requestID() plugin.Spec {
	return plugin.Define("request-id", "Gives every request an id that services and clients see.", priorityRequestID,
		newRequestID,
		plugin.BeforeConsumer(), plugin.SummaryZH("为每个请求提供服务端和客户端可见的 ID。"),
		plugin.Example(`{}`), plugin.Example(`{"header_name":"X-Correlation-Id","accept_incoming":false,"include_in_response":false}`))
}

// takenFields mean something else to services and to HTTP itself.
var takenFields = []string{
	"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Host", "Connection", "Content-Length", "Content-Type",
	"Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "X-Api-Key", "X-Goog-Api-Key", "X-Forwarded-For", "Forwarded",
}

func newRequestID(cfg requestIDConfig, _ plugin.Env) (plugin.Plugin, error) {
	for _, name := range takenFields {
		if strings.EqualFold(name, cfg.HeaderName) {
			return nil, sluice.Errorf(sluice.CodePluginConfig, "/header_name: %s has another meaning", name).At("/header_name")
		}
	}
	return &requestIDPlugin{cfg}, nil
}

// Access sets the field for the service.
func (p *requestIDPlugin) Access(x *plugin.Exchange) error {
	id := x.ID
	if in := x.Request.Fields.Get(p.cfg.HeaderName); p.cfg.AcceptIncoming && incomingID.MatchString(in) && x.Request.Fields.Count(p.cfg.HeaderName) == 1 {
		id = in
	}
	x.Request.Fields.Set(p.cfg.HeaderName, id)
	x.SetLocal(p, id)
	return nil
}

// HeaderFilter sends the id back.
func (p *requestIDPlugin) HeaderFilter(x *plugin.Exchange) error {
	if id, ok := x.Local(p).(string); ok && p.cfg.IncludeInResponse {
		x.Response.Fields.Set(p.cfg.HeaderName, id)
	}
	return nil
}
