package plugin

import (
	"net/netip"
	"time"

	"github.com/sluicegate/sluice"
)

// Origin says who made the answer that the filters see.
type Origin string

// The origins of an answer.
const (
	OriginNone    Origin = ""        // there is no answer yet
	OriginTarget  Origin = "target"  // a provider or upstream answered
	OriginPlugin  Origin = "plugin"  // a plugin called Respond
	OriginGateway Origin = "gateway" // the gateway answered: an error, a model list
)

// Consumer is who calls, once an authenticating plugin has named it. Its
// objects belong to the snapshot and must not be changed.
type Consumer struct {
	Tenant *sluice.Tenant
	Key    *sluice.Key
	// Bucket is the key's name in claims, made once for all requests; empty
	// means "key:" and the key's id.
	Bucket string
}

// Keys looks credentials up. The gateway provides it from its snapshot.
type Keys interface {
	// ByToken returns who presents the token. An unknown, disabled, expired or
	// retired key, or one of a disabled user or tenant, is
	// [sluice.CodeUnauthorized] with a message that does not tell them apart
	// from each other more than a client may know.
	ByToken(token string) (Consumer, error)
}

// Original is the request as it arrived, before any plugin changed it.
type Original struct {
	Method, Target, Host string
	Fields               sluice.Fields
}

// Exchange is one request and its answer as plugins see them. It is used by one
// goroutine at a time and must not be kept after the log phase. Strings and
// bytes in it are leased: clone what you keep.
type Exchange struct {
	// ID is the request id, a UUIDv7: X-Request-Id, trace id and record id.
	ID string
	// Start is when the request's head had arrived.
	Start time.Time
	// ClientIP is the client behind the trusted proxies.
	ClientIP netip.Addr
	// Route is the matched route, not to be changed.
	Route *sluice.Route
	// Params holds the values of the route's ":name" segments.
	Params []Param
	// Request is what will be sent to the target; access plugins may change it.
	Request *sluice.Head
	// Original is the request as it came.
	Original Original
	// Consumer is who calls; its Key is nil until a plugin has authenticated.
	Consumer Consumer
	// Operation, Model and Stream are what an LLM surface read from the request;
	// empty on plain routes.
	Operation, Model string
	Stream           bool
	// Origin and Response describe the answer from header_filter on. When the
	// answer was not plain success, Err is what went wrong.
	Origin   Origin
	Response *sluice.RespHead
	Err      *sluice.Error
	// TargetStatus is the status of the target's answer before any filter
	// changed it; 0 when no target answered.
	TargetStatus int
	// Trace lists what each plugin did; the chain appends to it.
	Trace []sluice.PluginTrace

	// Keys is how authenticating plugins look credentials up.
	Keys Keys
	// Now is the clock.
	Now func() time.Time
	// ReadBody gathers the request's body within the route's limit, once; the
	// gateway provides it. Use [Exchange.Body].
	ReadBody func() ([]byte, error)

	body     []byte
	bodyRead bool
	claims   []sluice.Claim
	sayings  []saying
	locals   []local
	reply    *Reply
	bodyRuns []bodyRun // in the order of the chain's body filters
	whole    []byte    // what was gathered for plugins that read it in one piece
	gathered bool      // whole is complete and was handed on
}

// Param is one value of a ":name" path segment.
type Param struct{ Name, Value string }

// Reply is an answer that a plugin makes itself.
type Reply struct {
	Head sluice.RespHead
	Body []byte
}

// saying is what a client is told when a bucket refuses it.
type saying struct{ bucket, message string }

type local struct {
	owner Plugin
	value any
}

// Param returns the value of a path parameter, "" when there is none.
func (x *Exchange) Param(name string) string {
	for _, p := range x.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Body returns the request's whole body, read once within the route's limit:
// [sluice.CodeTooLarge] beyond it. Reading it ends streaming of the upload.
func (x *Exchange) Body() ([]byte, error) {
	if x.bodyRead {
		return x.body, nil
	}
	b, err := x.ReadBody()
	if err != nil {
		return nil, err
	}
	x.body, x.bodyRead = b, true
	return b, nil
}

// SetBody replaces the request's body.
func (x *Exchange) SetBody(b []byte) { x.body, x.bodyRead = b, true }

// BodyRead reports whether the body was read or replaced, and returns it.
func (x *Exchange) BodyRead() ([]byte, bool) { return x.body, x.bodyRead }

// Claim adds a claim to what the gateway asks Admission for after the access
// phase. Plugins that limit do not count by themselves.
func (x *Exchange) Claim(c sluice.Claim) { x.claims = append(x.claims, c) }

// ClaimSaying adds a claim and what the client is told when it is the one that
// is refused.
func (x *Exchange) ClaimSaying(c sluice.Claim, message string) {
	x.Claim(c)
	x.sayings = append(x.sayings, saying{c.Bucket, message})
}

// Refused returns Admission's refusal as the client is to see it: with the
// message of the plugin that made the claim, if it gave one. The gateway passes
// every error of Admit through it.
func (x *Exchange) Refused(err error) error {
	e := sluice.AsError(err)
	if e == nil {
		return nil
	}
	for _, s := range x.sayings {
		if e.Details["bucket"] == s.bucket {
			said := *e
			said.Message = s.message
			return &said
		}
	}
	return err
}

// Claims returns what was claimed so far; the caller may fill in amounts.
func (x *Exchange) Claims() []sluice.Claim { return x.claims }

// Respond ends the access phase with an answer of the plugin's own: no later
// access plugin runs and no target is called. Header and body filters run with
// Origin = OriginPlugin. fields may be nil.
func (x *Exchange) Respond(status int, fields *sluice.Fields, body []byte) {
	r := &Reply{Head: sluice.RespHead{Status: status, ContentLength: int64(len(body))}, Body: body}
	if fields != nil {
		r.Head.Fields.AppendAll(fields)
	}
	x.reply = r
}

// Reply returns the answer a plugin made, or nil.
func (x *Exchange) Reply() *Reply { return x.reply }

// Local returns what the plugin stored for this exchange, or nil.
func (x *Exchange) Local(owner Plugin) any {
	for i := range x.locals {
		if x.locals[i].owner == owner {
			return x.locals[i].value
		}
	}
	return nil
}

// SetLocal stores a value for the plugin in this exchange; owner is the plugin
// itself, a pointer.
func (x *Exchange) SetLocal(owner Plugin, value any) {
	for i := range x.locals {
		if x.locals[i].owner == owner {
			x.locals[i].value = value
			return
		}
	}
	x.locals = append(x.locals, local{owner, value})
}

// Reset makes the exchange ready for the next request and keeps its memory.
func (x *Exchange) Reset() {
	fields := x.Original.Fields
	fields.Reset()
	whole := x.whole[:0]
	if cap(whole) > keptWholeBytes {
		whole = nil
	}
	*x = Exchange{
		Params: x.Params[:0], Trace: x.Trace[:0], claims: x.claims[:0], sayings: x.sayings[:0], locals: x.locals[:0],
		bodyRuns: x.bodyRuns[:0], whole: whole,
		Original: Original{Fields: fields},
	}
}
