package sluice

import "math"

// Usage counts what one request consumed, in disjoint classes: no token is in
// two of them. Money is computed from these alone; every surface re-renders its
// own sums. Values are never negative.
type Usage struct {
	Input        int64 `json:"input"`                    // uncached prompt tokens
	CachedInput  int64 `json:"cached_input,omitempty"`   // prompt tokens read from the provider's cache
	CacheWrite5m int64 `json:"cache_write_5m,omitempty"` // prompt tokens written to a 5-minute cache
	CacheWrite1h int64 `json:"cache_write_1h,omitempty"` // prompt tokens written to a 1-hour cache
	Output       int64 `json:"output"`                   // visible completion tokens
	Reasoning    int64 `json:"reasoning,omitempty"`      // hidden completion tokens
	AudioInput   int64 `json:"audio_input,omitempty"`    // audio prompt tokens
	AudioOutput  int64 `json:"audio_output,omitempty"`   // audio completion tokens
	Image        int64 `json:"image,omitempty"`          // image tokens
}

// Total is the sum over all classes, saturating.
func (u Usage) Total() int64 {
	var sum int64
	for _, v := range [...]int64{u.Input, u.CachedInput, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.AudioInput, u.AudioOutput, u.Image} {
		if v > math.MaxInt64-sum {
			return math.MaxInt64
		}
		sum += v
	}
	return sum
}

// UsageSource says where a usage came from.
type UsageSource string

// The sources of usage.
const (
	UsageNone      UsageSource = ""          // nothing to count, or never reached a target
	UsageProvider  UsageSource = "provider"  // the provider stated it; an explicit zero stays zero
	UsageEstimated UsageSource = "estimated" // the provider stated none; bounded estimate
)
