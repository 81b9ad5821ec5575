package peer

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

// Complaint is what a target said went wrong, in any of the shapes that are in
// use: {"error":{...}}, {"error":"..."}, {"object":"error",...},
// {"message":...}, {"detail":...}, and any of them alone in an array.
type Complaint struct {
	Message, Kind, Code, Param string
	// Status is the HTTP status inside the body, 0 when there is none: vLLM
	// answers 200 and means it.
	Status int
}

// ReadComplaint reads an error body; what is not JSON gives an empty one.
func ReadComplaint(body []byte) Complaint {
	var c Complaint
	if list := jsonscan.At(body, 0); list.Kind == jsonscan.Array {
		if first := list.Elements(body); first.Next() {
			body = first.Value().In(body)
		}
	}
	members := jsonscan.Document(body)
	for members.Next() {
		v := members.Value()
		switch string(members.Key()) {
		case "error":
			if text, ok := jsonscan.Text(body, v); ok {
				c.Message = text
			}
			c.read(body, v)
		case "message", "detail", "msg":
			if text, ok := jsonscan.Text(body, v); ok && c.Message == "" {
				c.Message = text
			}
		case "code", "status":
			if c.Code == "" {
				c.takeCode(body, v)
			}
		case "type":
			if c.Kind == "" {
				c.Kind, _ = jsonscan.Text(body, v)
			}
		}
	}
	return c
}

// read takes the members of the error object.
func (c *Complaint) read(body []byte, object jsonscan.Value) {
	for m := object.Members(body); m.Next(); {
		v := m.Value()
		switch string(m.Key()) {
		case "message":
			c.Message, _ = jsonscan.Text(body, v)
		case "type":
			c.Kind, _ = jsonscan.Text(body, v)
		case "param":
			c.Param, _ = jsonscan.Text(body, v)
		case "code":
			c.takeCode(body, v)
		case "status":
			if c.Kind == "" {
				c.Kind, _ = jsonscan.Text(body, v)
			}
		}
	}
}

// takeCode reads a code, which is a word with some vendors and an HTTP status
// with others.
func (c *Complaint) takeCode(body []byte, v jsonscan.Value) {
	text, ok := jsonscan.Text(body, v)
	if !ok {
		text = string(v.In(body))
	}
	if v.Kind == jsonscan.Null {
		return
	}
	c.Code = text
	if n, err := strconv.Atoi(text); err == nil && n >= 400 && n < 600 {
		c.Status = n
	}
}

// says reports whether code or type is, or the message holds, one of the words.
func (c *Complaint) says(words ...string) bool {
	message := strings.ToLower(c.Message)
	for _, word := range words {
		if strings.EqualFold(c.Code, word) || strings.EqualFold(c.Kind, word) || strings.Contains(message, word) {
			return true
		}
	}
	return false
}

// classify finds the code of the table for a status and what the target said.
func (c *Complaint) classify(status int) sluice.Code {
	quota := c.says("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient balance", "exceeded your current quota", "credit balance is too low", "billing_error")
	model := c.says("model_not_found", "deploymentnotfound", "model not exist", "does not exist or you do not have access to it")
	credential := c.says("api key not valid", "api_key_invalid")
	switch {
	case status == 402, status == 429 && quota, status == 403 && quota, status == 400 && quota:
		return sluice.CodeProviderQuota
	case status == 401, status == 403, status == 400 && credential:
		return sluice.CodeProviderAuth
	case status == 429:
		return sluice.CodeProviderRate
	case status == 400 && model, status == 404 && (model || strings.Contains(strings.ToLower(c.Message), "model")):
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

// Failure classifies an answer that is not a success. body is at most 64 KiB of
// it. Retry-After travels with what may be tried again.
func (s *Scrubber) Failure(h *sluice.RespHead, body []byte) *sluice.Error {
	if h.Status >= 300 && h.Status < 400 {
		return Broken("it answered with a redirect").With("provider_status", h.Status)
	}
	e := s.complain(ReadComplaint(body), h.Status)
	if e.Code == sluice.CodeProviderRate || e.Code == sluice.CodeProviderError {
		e.RetryAfter = RetryAfter(&h.Fields)
	}
	return e
}

// complain renders what the target said as an error of the table. Only what the
// client can mend is told in the target's own words; the rest stays in the
// operator's log, scrubbed as well.
func (s *Scrubber) complain(c Complaint, status int) *sluice.Error {
	code := c.classify(status)
	words := s.Message(c.Message)
	message := plain[code]
	if code == sluice.CodeProviderRefused {
		message = words
		if message == "" {
			message = "the provider refused the request as invalid"
		}
	}
	e := sluice.Errorf(code, "%s", message).With("provider_status", status)
	if code == sluice.CodeProviderRefused {
		e.Field = s.Message(c.Param)
		if c.Code != "" {
			e = e.With("provider_code", s.Message(c.Code))
		}
	}
	if words != "" {
		e = e.Because(errors.New(words))
	}
	return e
}

// Embedded classifies an error that came inside a 200, as a document or as the
// data of an event: by the status it names, by its type, or as the provider's
// fault when it names neither.
func (s *Scrubber) Embedded(body []byte) *sluice.Error {
	c := ReadComplaint(body)
	status := c.Status
	if status == 0 {
		status = http.StatusBadGateway
		for _, row := range embedded {
			if c.says(row.words...) {
				status = row.status
				break
			}
		}
	}
	return s.complain(c, status)
}

// embedded are the statuses that providers give errors of these types when they
// answer with a status at all.
var embedded = []struct {
	status int
	words  []string
}{
	{http.StatusTooManyRequests, []string{"rate_limit_exceeded", "rate_limit_error", "insufficient_quota", "resource_exhausted"}},
	{http.StatusUnauthorized, []string{"authentication_error", "permission_error", "invalid_api_key", "unauthenticated", "permission_denied"}},
	{http.StatusServiceUnavailable, []string{"overloaded_error", "unavailable"}},
	{http.StatusBadRequest, []string{"invalid_request_error", "badrequesterror", "context_length_exceeded", "invalid_argument", "invalid_prompt"}},
}

// Broken says why a success is no answer.
func Broken(why string) *sluice.Error {
	return sluice.Errorf(sluice.CodeProviderError, "the provider's answer cannot be used: %s", why)
}

// longestRetry is the most that a target may make clients wait, in seconds.
const longestRetry = 24 * 60 * 60

// RetryAfter reads Retry-After (RFC 9110, 10.2.3) and retry-after-ms, in
// seconds rounded up; 0 is unknown. A date is taken relative to the answer's
// own Date, so that no clock is needed.
func RetryAfter(f *sluice.Fields) int {
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
