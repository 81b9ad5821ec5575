package sluice

import "math"

// Usage counts what one request consumed, its tokens in disjoint classes: none is
// in two of them. Money is computed from these alone; every surface re-renders its
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
	ImageInput   int64 `json:"image_input,omitempty"`    // image prompt tokens, where they are told apart
	Image        int64 `json:"image,omitempty"`          // image completion tokens
	// Pieces are what is counted besides tokens.
	Pieces
}

// Pieces counts what an operation makes or takes by the piece, for prices that
// are not by the token. The tokens that a piece consists of, where they are
// stated, are counted too: a price is by the one or by the other.
type Pieces struct {
	Images       int64 `json:"images,omitempty"`        // generated images
	AudioSeconds int64 `json:"audio_seconds,omitempty"` // begun seconds of audio to be heard
	Characters   int64 `json:"characters,omitempty"`    // characters of text to be spoken
	SearchUnits  int64 `json:"search_units,omitempty"`  // searches that a ranking is billed as; each costs what a request does
}

// Total is the sum of the tokens of all classes, saturating.
func (u Usage) Total() int64 {
	var sum int64
	for _, v := range [...]int64{u.Input, u.CachedInput, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.AudioInput, u.AudioOutput, u.ImageInput, u.Image} {
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
	UsageEstimated UsageSource = "estimated" // the provider stated not all of it; counted here, or a bounded estimate
)
