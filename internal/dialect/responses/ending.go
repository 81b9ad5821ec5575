package responses

import (
	"encoding/json"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// response is a response, whole or as an event holds it.
type response struct {
	ID                string          `json:"id"`
	CreatedAt         json.RawMessage `json:"created_at"`
	Status            string          `json:"status"`
	Error             json.RawMessage `json:"error"`
	IncompleteDetails *struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Output []rawItem  `json:"output"`
	Usage  *wireUsage `json:"usage"`
}

// created is when it was made, in Unix seconds; 0 when that is not sound.
func (r *response) created() int64 {
	var n float64
	if json.Unmarshal(r.CreatedAt, &n) != nil || n < 0 || n > 1<<40 {
		return 0
	}
	return int64(n)
}

// wireUsage are the sums that an answer states.
type wireUsage struct {
	Input  *int64 `json:"input_tokens"`
	Output *int64 `json:"output_tokens"`
	In     struct {
		Cached  int64 `json:"cached_tokens"`
		Written int64 `json:"cache_write_tokens"`
	} `json:"input_tokens_details"`
	Out struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
}

// mostTokens is the most that one answer can plausibly state.
const mostTokens = 1_000_000_000

// disjoint splits the sums into classes: details are subsets, so each is taken
// out of what is left of its sum. ok is false when nothing that can be believed
// is stated.
func (w *wireUsage) disjoint() (u sluice.Usage, ok bool) {
	if w == nil || w.Input == nil && w.Output == nil {
		return u, false
	}
	for _, n := range [...]struct {
		to   *int64
		from *int64
	}{{&u.Input, w.Input}, {&u.Output, w.Output}} {
		if n.from == nil {
			continue
		}
		if *n.from < 0 || *n.from > mostTokens {
			return sluice.Usage{}, false
		}
		*n.to = *n.from
	}
	u.CachedInput = take(&u.Input, w.In.Cached)
	u.CacheWrite5m = take(&u.Input, w.In.Written)
	u.Reasoning = take(&u.Output, w.Out.Reasoning)
	return u, true
}

// take moves up to n out of from and returns how much.
func take(from *int64, n int64) int64 {
	n = max(0, min(n, *from))
	*from -= n
	return n
}

// ended reads the last event.
func (d *decoder) ended(ev *event) error {
	if ev.Response == nil {
		return broken("its last event holds no response")
	}
	if ev.Response.Status == "" {
		ev.Response.Status = ev.Type[len("response."):]
	}
	return d.end(ev.Response)
}

// end tells usage and why the answer ended.
func (d *decoder) end(r *response) error {
	if u, ok := r.Usage.disjoint(); ok {
		if err := d.emit.Usage(u); err != nil {
			return err
		}
	}
	if fault := faultOf(r); fault != nil {
		return fault
	}
	reason, err := d.reason(r)
	if err != nil {
		return err
	}
	d.over = true
	return d.emit.Finish(0, reason, "")
}

// faultOf returns the error of a response that failed, nil if it did not.
func faultOf(r *response) error {
	if isObject(r.Error) {
		return &form.Fault{Doc: append(append([]byte(`{"error":`), r.Error...), '}')}
	}
	if r.Status == "failed" {
		return broken("it failed")
	}
	return nil
}

// reason translates the status.
func (d *decoder) reason(r *response) (form.StopReason, error) {
	switch r.Status {
	case "completed":
		switch {
		case d.emit.Called(0):
			return form.StopCalls, nil
		case d.refused:
			return form.StopRefusal, nil
		}
		return form.StopEnd, nil
	case "incomplete":
		if r.IncompleteDetails != nil && r.IncompleteDetails.Reason == "content_filter" {
			return form.StopFilter, nil
		}
		return form.StopLength, nil
	}
	return "", broken("its status is not that of an answer")
}

// Whole implements [form.Decoder].
func (d *decoder) Whole(doc []byte) error {
	var r response
	if json.Unmarshal(doc, &r) != nil {
		return broken("it is malformed")
	}
	if fault := faultOf(&r); fault != nil {
		return fault
	}
	if r.Status == "" {
		return broken("it is no response")
	}
	if err := d.emit.Start(r.ID, r.created()); err != nil {
		return err
	}
	for i := range r.Output {
		if err := d.item(i, &r.Output[i], false); err != nil {
			return err
		}
	}
	return d.end(&r)
}

// readUsage reads a usage object.
func readUsage(doc []byte) (sluice.Usage, bool) {
	var w wireUsage
	if json.Unmarshal(doc, &w) != nil {
		return sluice.Usage{}, false
	}
	return w.disjoint()
}
