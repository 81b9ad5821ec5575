package price

import "github.com/sluicegate/sluice"

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

// pieceOf are the classes of tokens that a piece consists of: where both were
// counted and the piece has a price, such tokens cost only what a rate of their
// own says.
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

// covered reports whether tokens are paid for with the piece that they are part
// of.
func (v *Version) covered(u sluice.Unit, q *sluice.Quantities) bool {
	piece := pieceOf[u]
	return piece != 0 && v.priced[piece] && q[piece] > 0 && !v.own[u]
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
