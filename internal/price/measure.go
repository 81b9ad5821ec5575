package price

import (
	"slices"

	"github.com/sluicegate/sluice"
)

// A price is by tokens, by pieces, or by both. One that has no rate for any
// token leaves tokens out of account: what is sold by the picture or by the
// second costs nothing besides, whatever a provider states of its tokens. One of
// tokens leaves pieces out of account where tokens were counted.

// tokenUnits are the classes of tokens.
var tokenUnits = [...]sluice.Unit{
	sluice.UnitInput, sluice.UnitCachedInput, sluice.UnitCacheWrite5m, sluice.UnitCacheWrite1h, sluice.UnitOutput, sluice.UnitReasoning,
	sluice.UnitAudioInput, sluice.UnitAudioOutput, sluice.UnitImageInput, sluice.UnitImageOutput,
}

// pieceUnits are what is counted by the piece.
var pieceUnits = [...]sluice.Unit{sluice.UnitImage, sluice.UnitAudioSecond, sluice.UnitCharacter, sluice.UnitRequest}

// isToken tells tokens from pieces, by unit.
var isToken = [sluice.UnitCount]bool{
	sluice.UnitInput: true, sluice.UnitCachedInput: true, sluice.UnitCacheWrite5m: true, sluice.UnitCacheWrite1h: true, sluice.UnitOutput: true,
	sluice.UnitReasoning: true, sluice.UnitAudioInput: true, sluice.UnitAudioOutput: true, sluice.UnitImageInput: true, sluice.UnitImageOutput: true,
}

// pieceOf are the classes of tokens that a piece consists of: where the piece has a
// price, such tokens cost only what a rate of their own says.
var pieceOf = [sluice.UnitCount]sluice.Unit{
	sluice.UnitImageOutput: sluice.UnitImage, sluice.UnitAudioInput: sluice.UnitAudioSecond, sluice.UnitAudioOutput: sluice.UnitCharacter,
}

// counts reports whether the price takes account of a unit that was used.
func (v *Version) counts(u sluice.Unit, q *sluice.Quantities) bool {
	if isToken[u] {
		return v.tokens && !v.covered(u, q)
	}
	if v.priced[u] {
		return true
	}
	return u != sluice.UnitRequest && !(v.tokens && uses(q, tokenUnits[:])) && !v.sells(q)
}

// covered reports whether tokens are paid for with a piece: those that it consists
// of, also where none was counted and nothing else prices them; and the text beside
// it, if its price leaves out all of what is read, or written.
func (v *Version) covered(u sluice.Unit, q *sluice.Quantities) bool {
	if piece := pieceOf[u]; piece != 0 && v.priced[piece] && !v.own[u] && (q[piece] > 0 || !v.priced[u]) {
		return true
	}
	if v.priced[u] {
		return false
	}
	if slices.Contains(outputUnits[:], u) {
		return v.included(outputUnits[:], q)
	}
	return v.included(inputUnits[:], q)
}

// included reports whether none of these classes has a rate because they come with
// a piece that has one, and was used.
func (v *Version) included(units []sluice.Unit, q *sluice.Quantities) bool {
	paid := false
	for _, u := range units {
		if v.priced[u] {
			return false
		}
		piece := pieceOf[u]
		paid = paid || piece != 0 && v.priced[piece] && q[piece] > 0
	}
	return paid
}

// sells reports whether a piece was used that has a price.
func (v *Version) sells(q *sluice.Quantities) bool {
	for _, u := range pieceUnits {
		if v.priced[u] && q[u] > 0 {
			return true
		}
	}
	return false
}

// uses reports whether any of the units was used.
func uses(q *sluice.Quantities, units []sluice.Unit) bool {
	for _, u := range units {
		if q[u] > 0 {
			return true
		}
	}
	return false
}
