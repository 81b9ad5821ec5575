package gateway

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/plugin"
)

// fail ends the exchange with an error: a proper answer while nothing has left,
// the surface's error event in a stream, a broken connection otherwise.
func (e *exchange) fail(err error) {
	if ended := e.flight.err(); ended != nil {
		err = ended
	}
	e.failure = sluice.AsError(err)
	if e.failure.Code == sluice.CodeInternal && !e.panicked {
		e.g.cfg.Log.Error("request failed", "request", e.x.ID, "error", err)
	}
	switch {
	case e.failure.Code == sluice.CodeClientGone:
		e.in.Abort()
	case e.begun:
		e.breakOff()
	default:
		e.answerError(err)
	}
}

// breakOff ends an answer that cannot be completed so that the client can tell.
func (e *exchange) breakOff() {
	if e.events {
		if event := e.ask.StreamError(e.surface, e.failure, e.x.ID); event != nil {
			if e.in.Write(event) == nil && e.in.End(nil) == nil {
				e.written += int64(len(event))
				return
			}
		}
	}
	e.in.Abort()
}

// answerError renders an error in the language of the surface.
func (e *exchange) answerError(err error) {
	body, contentType, ok := plugin.ErrorResponse(err)
	if !ok {
		contentType, body = e.surface.Error(e.failure, e.x.ID)
	}
	info := sluice.CodeInfo(e.failure.Code)
	f := &e.response.Fields
	f.Add("Content-Type", contentType)
	f.Add("Cache-Control", "no-store")
	e.addAdvice(f, info.Status)
	e.response.Status = info.Status
	e.x.Err = e.failure
	e.failing = true
	if err := e.respond(plugin.OriginGateway, body); err != nil {
		e.in.Abort()
	}
}

// addAdvice adds the fields that tell a client what to do about an error.
func (e *exchange) addAdvice(f *sluice.Fields, status int) {
	if e.failure.RetryAfter > 0 {
		f.Add("Retry-After", strconv.Itoa(e.failure.RetryAfter))
	}
	if status == 401 {
		f.Add("WWW-Authenticate", "Bearer")
	}
	if allow, ok := e.failure.Details["allow"].([]string); ok {
		f.Add("Allow", strings.Join(allow, ", "))
	}
	if e.failure.Code == sluice.CodeSlowClient || e.failure.Code == sluice.CodeTooLarge {
		f.Add("Connection", "close") // the rest of the body is not waited for
	}
}

// answerReply sends the answer that a plugin made.
func (e *exchange) answerReply() error {
	reply := e.x.Reply()
	e.response.Status = reply.Head.Status
	e.response.Fields.AppendAll(&reply.Head.Fields)
	return e.respond(plugin.OriginPlugin, reply.Body)
}

// respond sends a whole body of our own through the filters.
func (e *exchange) respond(origin plugin.Origin, body []byte) (err error) {
	e.x.Origin, e.x.Response = origin, &e.response
	e.response.ContentLength = int64(len(body))
	e.decorate(&e.response.Fields)
	if e.chain != nil {
		if body, err = e.filter(body); err != nil && !e.failing {
			return err
		}
	}
	if bodyless(e.x.Request.Method, e.response.Status) {
		return e.end(nil)
	}
	e.response.ContentLength = int64(len(body))
	if len(body) > 0 {
		if err := e.send(body); err != nil {
			return err
		}
	}
	return e.end(nil)
}

// filter runs both kinds of filters over a whole body. A filter that fails on an
// error answer must not cost the client the error: the body then stays as it is.
func (e *exchange) filter(body []byte) ([]byte, error) {
	if err := e.chain.HeaderFilter(&e.x); err != nil {
		e.logFilter(err)
		return body, err
	}
	if !e.chain.HasBodyFilter() || bodyless(e.x.Request.Method, e.response.Status) {
		return body, nil
	}
	out, err := e.chain.BodyFilter(&e.x, body, true)
	if err != nil {
		e.logFilter(err)
		return body, err
	}
	return out, nil
}

// logFilter logs what would otherwise be lost: an error about an error answer.
func (e *exchange) logFilter(err error) {
	if e.failing {
		e.g.cfg.Log.Error("filter failed on an error answer", "request", e.x.ID, "error", err)
	}
}

// decorate adds what every answer carries.
func (e *exchange) decorate(f *sluice.Fields) {
	f.Set("X-Request-Id", e.x.ID)
	if surface, ok := e.surface.(dialect.Identifier); ok {
		f.Set(surface.RequestIDField(), e.x.ID)
	}
	for i := range limited {
		if s := tightest(e.standings, limited[i].kind); s != nil {
			e.tellStanding(f, &limited[i], s)
		}
	}
}

// limitFields are the names under which clients are told of a kind of limit: the
// older ones that SDKs read, and those of the IETF draft on RateLimit fields.
type limitFields struct {
	kind                    sluice.ClaimKind
	limit, remaining, reset string
	name                    string // quoted, as the draft has it
}

var limited = [...]limitFields{
	{sluice.ClaimRequests, "X-Ratelimit-Limit-requests", "X-Ratelimit-Remaining-requests", "X-Ratelimit-Reset-requests", `"requests"`},
	{sluice.ClaimTokens, "X-Ratelimit-Limit-tokens", "X-Ratelimit-Remaining-tokens", "X-Ratelimit-Reset-tokens", `"tokens"`},
}

// tellStanding adds the fields of one limit.
func (e *exchange) tellStanding(f *sluice.Fields, names *limitFields, s *sluice.Standing) {
	remaining := max(s.Remaining, 0)
	f.Set(names.limit, e.text.integer(s.Claim.Limit))
	f.Set(names.remaining, e.text.integer(remaining))
	f.Set(names.reset, e.text.duration(s.Reset))
	f.Add("RateLimit-Policy", e.text.parameters(names.name, ";q=", s.Claim.Limit, ";w=", wholeSeconds(s.Claim.Window)))
	f.Add("RateLimit", e.text.parameters(names.name, ";r=", remaining, ";t=", wholeSeconds(s.Reset)))
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// tightest is the standing of a kind that has the least left, nil without any.
func tightest(list []sluice.Standing, kind sluice.ClaimKind) *sluice.Standing {
	var least *sluice.Standing
	for i := range list {
		if s := &list[i]; s.Claim.Kind == kind && (least == nil || s.Remaining < least.Remaining) {
			least = s
		}
	}
	return least
}
