package sluice

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Unit is something that is counted and has a price. Units are disjoint: what
// is counted under one is under no other.
type Unit uint8

// The units. Their numbers are written to journals and never change.
const (
	UnitInput        Unit   = iota // uncached prompt token
	UnitCachedInput                // prompt token read from the provider's cache
	UnitCacheWrite5m               // prompt token written to a 5-minute cache
	UnitCacheWrite1h               // prompt token written to a 1-hour cache
	UnitOutput                     // visible completion token
	UnitReasoning                  // hidden completion token
	UnitAudioInput                 // audio prompt token
	UnitAudioOutput                // audio completion token
	UnitImageInput                 // image prompt token
	UnitImage                      // generated image
	UnitAudioSecond                // begun second of audio
	UnitCharacter                  // character of text, for speech
	UnitRequest                    // the request itself, or a search unit of it
	UnitImageOutput                // image completion token
	UnitCount        = iota        // how many units there are
)

// unitNames are the units in JSON, price files and on every surface.
var unitNames = [UnitCount]string{
	"input", "cached_input", "cache_write_5m", "cache_write_1h", "output", "reasoning", "audio_input", "audio_output",
	"image_input", "image", "audio_second", "character", "request", "image_output",
}

// String returns the unit's name.
func (u Unit) String() string {
	if int(u) < len(unitNames) {
		return unitNames[u]
	}
	return fmt.Sprintf("unit(%d)", uint8(u))
}

// ParseUnit reads a unit's name; an unknown one is [CodeInvalidRequest].
func ParseUnit(s string) (Unit, error) {
	if i := slices.Index(unitNames[:], s); i >= 0 {
		return Unit(i), nil
	}
	return 0, Errorf(CodeInvalidRequest, "%q is not a unit of price", clip(s))
}

// MarshalText renders the unit's name.
func (u Unit) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads the unit's name.
func (u *Unit) UnmarshalText(b []byte) error {
	parsed, err := ParseUnit(string(b))
	if err != nil {
		return err
	}
	*u = parsed
	return nil
}

// Quantities counts every unit that one request used.
type Quantities [UnitCount]int64

// Quantities returns the tokens and the pieces of a usage, and one request at
// least.
func (u Usage) Quantities() Quantities {
	return Quantities{
		UnitInput: u.Input, UnitCachedInput: u.CachedInput, UnitCacheWrite5m: u.CacheWrite5m, UnitCacheWrite1h: u.CacheWrite1h,
		UnitOutput: u.Output, UnitReasoning: u.Reasoning, UnitAudioInput: u.AudioInput, UnitAudioOutput: u.AudioOutput,
		UnitImageInput: u.ImageInput, UnitImageOutput: u.Image, UnitImage: u.Images, UnitAudioSecond: u.AudioSeconds,
		UnitCharacter: u.Characters, UnitRequest: max(1, u.SearchUnits),
	}
}

// Usage is the inverse of [Usage.Quantities]; a single request is no search unit.
func (q Quantities) Usage() Usage {
	u := Usage{
		Input: q[UnitInput], CachedInput: q[UnitCachedInput], CacheWrite5m: q[UnitCacheWrite5m], CacheWrite1h: q[UnitCacheWrite1h],
		Output: q[UnitOutput], Reasoning: q[UnitReasoning], AudioInput: q[UnitAudioInput], AudioOutput: q[UnitAudioOutput],
		ImageInput: q[UnitImageInput], Image: q[UnitImageOutput],
		Pieces: Pieces{Images: q[UnitImage], AudioSeconds: q[UnitAudioSecond], Characters: q[UnitCharacter]},
	}
	if n := q[UnitRequest]; n > 1 {
		u.SearchUnits = n
	}
	return u
}

// MarshalJSON renders an object of the units that were used.
func (q Quantities) MarshalJSON() ([]byte, error) {
	used := map[Unit]int64{}
	for u, n := range q {
		if n != 0 {
			used[Unit(u)] = n
		}
	}
	return json.Marshal(used)
}

// UnmarshalJSON reads an object of units; unknown names are
// [CodeInvalidRequest].
func (q *Quantities) UnmarshalJSON(b []byte) error {
	var used map[Unit]int64
	if err := json.Unmarshal(b, &used); err != nil {
		return err
	}
	*q = Quantities{}
	for u, n := range used {
		q[u] = n
	}
	return nil
}

// Multiplier scales a price, in millionths: 1,000,000 is the price itself.
type Multiplier int64

// NoMultiplier leaves prices as they are.
const NoMultiplier Multiplier = 1_000_000

// MaxMultiplier is a thousandfold price.
const MaxMultiplier = 1000 * NoMultiplier

// ParseMultiplier reads a plain decimal with up to six decimals ("1.25").
func ParseMultiplier(s string) (Multiplier, error) {
	v, err := parseDecimal(s, 6)
	return Multiplier(v), err
}

// String renders the factor as a plain decimal.
func (m Multiplier) String() string { return formatDecimal(int64(m), 6) }

// MarshalJSON renders an exact JSON number.
func (m Multiplier) MarshalJSON() ([]byte, error) {
	return appendDecimal(make([]byte, 0, 24), int64(m), 6), nil
}

// UnmarshalJSON reads a JSON number or a decimal string, exactly.
func (m *Multiplier) UnmarshalJSON(b []byte) error {
	v, err := ParseMultiplier(plainDecimal(strings.Trim(string(b), `"`)))
	if err != nil {
		return err
	}
	*m = v
	return nil
}

// PriceRef names what a request is priced by, for ever: an immutable price
// version and the multiplier of its group at admission.
type PriceRef struct {
	// Version is that of the price.
	Version uint64 `json:"version,omitempty"`
	// Multiplier is the group's, an exact decimal.
	Multiplier Multiplier `json:"multiplier,omitempty"`
}

// Price is one immutable version of what a model costs, from a moment on until
// the next version of the same model and tenant takes over.
type Price struct {
	// Version is assigned once, is never reused and is above zero.
	Version uint64 `json:"version"`
	Model   string `json:"model"`
	// Tenant is empty for everyone; a price of the tenant's own replaces it
	// whole.
	Tenant string `json:"tenant,omitempty"`
	Asset  string `json:"asset"`
	// From is the first moment at which the price holds.
	From time.Time `json:"from"`
	// Rates has the price of each unit, as an exact number per single unit; a
	// class of tokens that is not in it costs what its plainer class does (cached
	// and image input what input does, reasoning and image output what output
	// does). A price of tokens leaves pieces out of account, and one of pieces
	// tokens; a request of which nothing is priced is refused.
	Rates map[Unit]Rate `json:"rates,omitempty"`
	// Free says on purpose that the model costs nothing; it has no rates then.
	Free bool `json:"free,omitempty"`
}

// Validate checks a price by itself. The error is an *Error with
// [CodeInvalidRequest] and the field to blame.
func (p Price) Validate() error {
	switch {
	case p.Version == 0:
		return Errorf(CodeInvalidRequest, "a price needs a version").At("/version")
	case !modelNamePattern.MatchString(p.Model):
		return Errorf(CodeInvalidRequest, "%q is not a model", clip(p.Model)).At("/model")
	case p.Tenant != "" && !namePattern.MatchString(p.Tenant):
		return Errorf(CodeInvalidRequest, "%q is not a tenant", clip(p.Tenant)).At("/tenant")
	case !isAsset(p.Asset):
		return Errorf(CodeInvalidRequest, "%q is not an asset such as USD", clip(p.Asset)).At("/asset")
	case p.From.IsZero():
		return Errorf(CodeInvalidRequest, "a price needs the moment it holds from").At("/from")
	case p.Free == (len(p.Rates) > 0):
		return Errorf(CodeInvalidRequest, "a price has rates, or is marked free").At("/rates")
	}
	for u, r := range p.Rates {
		if int(u) >= UnitCount || r < 0 {
			return Errorf(CodeInvalidRequest, "the rate of %s must not be negative", u).At("/rates/" + u.String())
		}
	}
	return nil
}

// isAsset reports whether s names an asset: three to eight capitals.
func isAsset(s string) bool {
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(s) >= 3 && len(s) <= 8
}

// PriceQuery selects a page of the price book.
type PriceQuery struct {
	// Tenant keeps what concerns one tenant: its own prices and everyone's.
	// Empty and "*" keep all that the caller may see.
	Tenant string
	Model  string
	// At keeps the prices that hold at a moment, one for each model; those that
	// a tenant's own replace are left out when Tenant is set. Zero keeps every
	// version.
	At time.Time
	// Cursor continues after the previous page; it is opaque.
	Cursor string
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
}

// PriceFormat names how a price book is written down.
type PriceFormat string

// The formats.
const (
	PriceJSON PriceFormat = "json" // {"items": [Price…]}, rates per single unit
	PriceCSV  PriceFormat = "csv"  // a header, then a price per line, rates per 1,000,000 units
)

// CostLine is what one unit contributes to a cost.
type CostLine struct {
	Unit     Unit  `json:"unit"`
	Quantity int64 `json:"quantity"`
	Rate     Rate  `json:"rate"`
	// Amount is the unit's own product, rounded for display; the lines may
	// differ from the cost by half a nano each, because the cost is rounded
	// once.
	Amount Nanos `json:"amount"`
}

// RecordCost says what one request cost, and why.
type RecordCost struct {
	// Record is the id of the request.
	Record  string      `json:"record"`
	Time    time.Time   `json:"time"`
	Tenant  string      `json:"tenant,omitempty"`
	Model   string      `json:"model,omitempty"`
	Outcome Outcome     `json:"outcome"`
	Source  UsageSource `json:"usage_source,omitempty"`
	// Quantities is what was used.
	Quantities Quantities `json:"quantities"`
	// Price is the version that the request was admitted under, whatever holds
	// now, and Multiplier that of its group.
	Price      *Price     `json:"price,omitempty"`
	Multiplier Multiplier `json:"multiplier,omitempty"`
	// Lines add up to Cost, but for the rounding; there are none when nothing is
	// charged.
	Lines []CostLine `json:"lines,omitempty"`
	// Cost has no asset when there is none.
	Cost Money `json:"cost,omitzero"`
	// Unpriced says that the request should have had a cost and has none.
	Unpriced bool `json:"unpriced,omitempty"`
	// Reason says in a sentence why the cost is what it is.
	Reason string `json:"reason"`
	// Transfers are what the ledger booked for the request, in their order: what
	// was held, charged, released, charged beyond the hold, and refunded. There
	// are none before the books have it, and for what holds nothing.
	Transfers []StatementLine `json:"transfers,omitempty"`
}
