package openai

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// complaint is what a target said went wrong, in any of the shapes that are in
// use: {"error":{...}}, {"error":"..."}, {"object":"error",...},
// {"message":...}, {"detail":...}.
type complaint struct {
	message, kind, code, param string
	// status is the HTTP status inside the body, 0 when there is none: vLLM
	// answers 200 and means it.
	status int
}

// readComplaint reads an error body; what is not JSON gives an empty one.
func readComplaint(body []byte) complaint {
	var c complaint
	members := jsonscan.Document(body)
	for members.Next() {
		v := members.Value()
		switch string(members.Key()) {
		case "error":
			if text, ok := jsonscan.Text(body, v); ok {
				c.message = text
			}
			c.read(body, v)
		case "message", "detail", "msg":
			if text, ok := jsonscan.Text(body, v); ok && c.message == "" {
				c.message = text
			}
		case "code", "status":
			if c.code == "" {
				c.takeCode(body, v)
			}
		case "type":
			if c.kind == "" {
				c.kind, _ = jsonscan.Text(body, v)
			}
		}
	}
	return c
}

// read takes the members of the error object.
func (c *complaint) read(body []byte, object jsonscan.Value) {
	for m := object.Members(body); m.Next(); {
		v := m.Value()
		switch string(m.Key()) {
		case "message":
			c.message, _ = jsonscan.Text(body, v)
		case "type":
			c.kind, _ = jsonscan.Text(body, v)
		case "param":
			c.param, _ = jsonscan.Text(body, v)
		case "code":
			c.takeCode(body, v)
		}
	}
}

// takeCode reads a code, which is a word with some vendors and an HTTP status
// with others.
func (c *complaint) takeCode(body []byte, v jsonscan.Value) {
	text, ok := jsonscan.Text(body, v)
	if !ok {
		text = string(v.In(body))
	}
	if v.Kind == jsonscan.Null {
		return
	}
	c.code = text
	if n, err := strconv.Atoi(text); err == nil && n >= 400 && n < 600 {
		c.status = n
	}
}

// says reports whether code or type is, or the message holds, one of the words.
func (c *complaint) says(words ...string) bool {
	message := strings.ToLower(c.message)
	for _, word := range words {
		if strings.EqualFold(c.code, word) || strings.EqualFold(c.kind, word) || strings.Contains(message, word) {
			return true
		}
	}
	return false
}

// classify finds the code of the table for a status and what the target said.
func (c *complaint) classify(status int) sluice.Code {
	quota := c.says("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient balance", "exceeded your current quota")
	model := c.says("model_not_found", "deploymentnotfound", "model not exist", "does not exist or you do not have access to it")
	switch {
	case status == 402, status == 429 && quota, status == 403 && quota:
		return sluice.CodeProviderQuota
	case status == 401, status == 403:
		return sluice.CodeProviderAuth
	case status == 429:
		return sluice.CodeProviderRate
	case status == 400 && model, status == 404 && (model || strings.Contains(strings.ToLower(c.message), "model")):
		return sluice.CodeProviderModel
	case status == 404, status == 405, status == 408:
		// No such path, or a slow one: the provider is set up wrong or unwell,
		// and nothing that the client sent is to blame.
		return sluice.CodeProviderError
	case status >= 400 && status < 500:
		return sluice.CodeProviderRefused
	}
	return sluice.CodeProviderError
}

// plain are the messages of codes whose cause is none of the client's business.
var plain = map[sluice.Code]string{
	sluice.CodeProviderAuth:  "the provider refused the operator's credential",
	sluice.CodeProviderRate:  "the provider's rate limit is reached",
	sluice.CodeProviderQuota: "the provider's quota is used up",
	sluice.CodeProviderModel: "the provider does not serve this model",
	sluice.CodeProviderError: "the provider answered with an error",
}

// Failure implements [dialect.Leg].
func (l *leg) Failure(h *sluice.RespHead, body []byte) *sluice.Error {
	if h.Status >= 300 && h.Status < 400 {
		return l.broken("it answered with a redirect").With("provider_status", h.Status)
	}
	e := l.complain(readComplaint(body), h.Status)
	if e.Code == sluice.CodeProviderRate || e.Code == sluice.CodeProviderError {
		e.RetryAfter = retryAfter(&h.Fields)
	}
	return e
}

// complain renders what the target said as an error of the table. Only what the
// client can mend is told in the target's own words; the rest stays in the
// operator's log, scrubbed as well.
func (l *leg) complain(c complaint, status int) *sluice.Error {
	code := c.classify(status)
	words := l.scrubber().message(c.message)
	message := plain[code]
	if code == sluice.CodeProviderRefused {
		message = words
		if message == "" {
			message = "the provider refused the request as invalid"
		}
	}
	e := sluice.Errorf(code, "%s", message).With("provider_status", status)
	if code == sluice.CodeProviderRefused {
		e.Field = l.scrubber().message(c.param)
		if c.code != "" {
			e = e.With("provider_code", l.scrubber().message(c.code))
		}
	}
	if words != "" {
		e = e.Because(errors.New(words))
	}
	return e
}

// embedded classifies an error that came inside a 200: by the status it names,
// or as the provider's fault when it names none.
func (l *leg) embedded(body []byte) *sluice.Error {
	c := readComplaint(body)
	status := c.status
	switch {
	case status != 0:
	case c.says("rate_limit_exceeded", "rate_limit_error", "insufficient_quota"):
		status = http.StatusTooManyRequests
	case c.says("invalid_request_error", "badrequesterror", "context_length_exceeded"):
		status = http.StatusBadRequest
	default:
		status = http.StatusBadGateway
	}
	return l.complain(c, status)
}

// broken says why a success is no answer.
func (l *leg) broken(why string) *sluice.Error {
	return sluice.Errorf(sluice.CodeProviderError, "the provider's answer cannot be used: %s", why)
}

// longestRetry is the most that a target may make clients wait, in seconds.
const longestRetry = 24 * 60 * 60

// retryAfter reads Retry-After (RFC 9110, 10.2.3) and retry-after-ms, in
// seconds rounded up; 0 is unknown. A date is taken relative to the answer's
// own Date, so that no clock is needed.
func retryAfter(f *sluice.Fields) int {
	if ms, err := strconv.ParseFloat(f.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return clampRetry(ms / 1000)
	}
	value := strings.TrimSpace(f.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		return clampRetry(seconds)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(f.Get("Date"))
	if err != nil {
		return 0
	}
	return clampRetry(until.Sub(now).Truncate(time.Second).Seconds())
}

func clampRetry(seconds float64) int {
	if !(seconds > 0) {
		return 0
	}
	return int(math.Ceil(min(seconds, longestRetry)))
}
