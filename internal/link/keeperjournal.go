package link

import (
	"context"
	"net/http"

	"github.com/sluicegate/sluice/internal/journal"
)

// keptJournal carries a journal to the ledger, wherever it is kept.
type keptJournal struct {
	keeper *Keeper
	here   journal.Transport
	away   JournalClient
}

// Transport returns the way of this process's own journal: to books here, while
// they have the ledger, else to the process that has it. It belongs to one
// shipper.
func (k *Keeper) Transport(books journal.Transport) journal.Transport {
	if k == nil {
		return books
	}
	return &keptJournal{keeper: k, here: books, away: JournalClient{client: planeClient{
		token: k.cfg.PlaneToken, forwarded: true, http: k.client, contentType: journalType,
	}}}
}

// Send implements [journal.Transport].
func (j *keptJournal) Send(ctx context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	if j.keeper.cfg.Here() {
		return j.here.Send(ctx, id, after, entries)
	}
	base, err := j.keeper.locate(ctx)
	if err != nil {
		return 0, err
	}
	j.away.client.url = base + JournalPath
	applied, err := j.away.Send(ctx, id, after, entries)
	if err != nil {
		j.keeper.forget()
	}
	return applied, err
}

// Kept serves [JournalPath] or [HoldsPath] by next where the ledger is kept, and
// passes on what comes to another process. The token as for [EventsHandler].
func (k *Keeper) Kept(next http.Handler) http.Handler {
	if k == nil {
		return next
	}
	return guarded(k.cfg.PlaneToken, func(w http.ResponseWriter, r *http.Request) {
		done, err := k.Forward(w, r, clientHost(r))
		switch {
		case err != nil:
			refuse(w, err)
		case !done:
			next.ServeHTTP(w, r)
		}
	})
}
