package convert

import (
	"cmp"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// Peer is an account of a dialect that translated requests can be sent to. It is
// immutable and safe for concurrent use.
type Peer interface {
	peer.Account
	form.Back
}

// Open begins an attempt of an ask at an account that speaks another protocol.
// [sluice.CodeUnsupported] when the ask's operation cannot be carried over, and
// the errors of the front's and the peer's encoding.
func Open(ask *dialect.Ask, account dialect.Account, p Peer) (dialect.Leg, error) {
	if ask.Front == nil {
		return nil, unsupported(ask, account)
	}
	e := exchange{ask: ask, peer: p}
	e.target = form.Target{Model: account.Model, Entry: account.Entry}
	e.target.Strict = account.Entry != nil && account.Entry.ParamPolicy == sluice.ParamsStrict
	switch ask.Operation.Name {
	case dialect.OpChat:
		return openChat(e)
	case dialect.OpCount:
		return openCount(e)
	case dialect.OpEmbeddings:
		return openEmbed(e, account)
	}
	return nil, unsupported(ask, account)
}

// unsupported says that a pair has nothing in common.
func unsupported(ask *dialect.Ask, account dialect.Account) error {
	return sluice.Errorf(sluice.CodeUnsupported, "%s of the %s API cannot be answered by a provider of type %s",
		cmp.Or(ask.Operation.Name, "this operation"), ask.Surface, account.Provider.Type)
}
