package ledger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Store is the system of record: SQLite or PostgreSQL.
type Store interface {
	// Load returns the state of the last committed batch.
	Load(ctx context.Context) (State, error)
	// Commit applies a batch in one transaction: accounts that do not exist are
	// opened; transfers are inserted, and one whose id exists is left alone;
	// balances change by the transfers that were inserted, by no other, and floors
	// to what the batch says, so that no account ends below its floor; records
	// that are not known are kept; anomalies
	// go to the outbox of events; positions become the journals' positions,
	// never lower. It is durable once it returns nil; after an error it may or
	// may not have happened, and the batch, or a longer one that begins with it,
	// is committed again.
	Commit(ctx context.Context, batch Batch) error
	// Find returns those of the transfers with these ids that there are, in any
	// order: at most a journal's batch of them.
	Find(ctx context.Context, ids ...sluice.TransferID) ([]sluice.Transfer, error)
	// Accounts returns those of the accounts with these ids that there are, in any
	// order: a few of them, those that Load left out included. Load leaves grants
	// out that expired [KeepPast] ago and hold nothing.
	Accounts(ctx context.Context, ids ...sluice.AccountID) ([]sluice.Account, error)
}

// Poster brings facts and direct transfers into the book and from there into the
// store. It is safe for concurrent use; commits are made one after another.
type Poster struct {
	book  *Book
	store Store
	now   func() time.Time
	mu    sync.Mutex // held while the store works; Book.Hold does not wait for it
	// commits counts what the store took.
	commits atomic.Uint64
}

// NewPoster returns a poster for a book and its store.
func NewPoster(book *Book, store Store, now func() time.Time) *Poster {
	return &Poster{book: book, store: store, now: now}
}

// Start loads the store's state into the book, which must be empty.
func (p *Poster) Start(ctx context.Context) error {
	state, err := p.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading the ledger: %w", err)
	}
	return p.book.Load(state)
}

// Receive takes consecutive facts of a journal, the first of which follows
// after, applies and commits them, and returns the journal's durable position:
// what the journal may forget. It is the books' end of journal.Transport. No
// facts at all is a question for the position. After an error the same facts
// are to be sent again.
func (p *Poster) Receive(ctx context.Context, journal string, after uint64, facts []Fact) (position uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(facts) > 0 {
		if err := p.recall(ctx, facts); err != nil {
			return 0, err
		}
		p.book.Apply(journal, after, facts, p.now())
	}
	if err := p.commit(ctx); err != nil {
		return 0, err
	}
	return p.book.Durable(journal), nil
}

// recall asks the store about settlements, and costs of attempts, that the book
// would have to remember from long ago.
func (p *Poster) recall(ctx context.Context, facts []Fact) error {
	var ids []sluice.TransferID
	asked := map[sluice.TransferID][]*Fact{}
	for i := range facts {
		f := &facts[i]
		if f.Posting == nil {
			continue
		}
		id := p.book.costOf(f.Posting)
		if f.Posting.Final {
			if !p.book.Unsettled(f.Posting.Request) {
				continue
			}
			id = p.book.id(f.Posting.Request, f.Posting.Request.String(), "settle", 0)
		}
		if id.IsZero() {
			continue
		}
		ids, asked[id] = append(ids, id), append(asked[id], f)
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := p.store.Find(ctx, ids...)
	if err != nil {
		return fmt.Errorf("looking for the settlements of %d requests: %w", len(ids), err)
	}
	for i := range found {
		for _, f := range asked[found[i].ID] {
			f.Booked, f.CostBooked = &found[i], true
		}
	}
	return nil
}

// Transfer books direct transfers as [Book.Transfer] does and returns once the
// store has them. After an error of the store the outcome is unknown: the same
// call again gives the answer.
func (p *Poster) Transfer(ctx context.Context, transfers ...sluice.Transfer) ([]sluice.Transfer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.remember(ctx, transfers); err != nil {
		return nil, err
	}
	var named []sluice.AccountID
	for _, t := range transfers {
		named = append(named, t.Debit, t.Credit)
	}
	if err := p.meetAgain(ctx, named); err != nil {
		return nil, err
	}
	made, err := p.book.Transfer(p.now(), transfers...)
	if err != nil {
		return nil, err
	}
	if err := p.commit(ctx); err != nil {
		return nil, err
	}
	return made, nil
}

// Open opens accounts as [Book.Open] does and returns once the store has them;
// doing so again changes nothing.
func (p *Poster) Open(ctx context.Context, accounts ...sluice.Account) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var named []sluice.AccountID
	for _, a := range accounts {
		named = append(named, a.ID)
	}
	if err := p.meetAgain(ctx, named); err != nil {
		return err
	}
	if err := p.book.Open(accounts...); err != nil {
		return err
	}
	return p.commit(ctx)
}

// meetAgain has the book know of grants that it has forgotten, or never loaded,
// because they had long expired.
func (p *Poster) meetAgain(ctx context.Context, named []sluice.AccountID) error {
	strangers := p.book.strangers(named)
	if len(strangers) == 0 {
		return nil
	}
	found, err := p.store.Accounts(ctx, strangers...)
	if err != nil {
		return fmt.Errorf("looking for %d grants: %w", len(strangers), err)
	}
	p.book.meetAgain(found)
	return nil
}

// remember has the book know of transfers that the store has.
func (p *Poster) remember(ctx context.Context, transfers []sluice.Transfer) error {
	ids := make([]sluice.TransferID, len(transfers))
	for i := range transfers {
		ids[i] = transfers[i].ID
	}
	found, err := p.store.Find(ctx, ids...)
	if err != nil {
		return fmt.Errorf("looking for %d transfers: %w", len(ids), err)
	}
	for _, was := range found {
		p.book.know(was)
	}
	return nil
}

// know puts a transfer of the store into the book's memory, without effect.
func (b *Book) know(t sluice.Transfer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.direct.put(t.ID, t)
}

// Expire voids what is past its time and commits it, once everything before it is
// committed; see [Book.Expire]. While the store is away nothing expires. journals
// say where those of this process end; they are asked after the clock, so that
// whatever was journaled before a deadline lies before that end.
func (p *Poster) Expire(ctx context.Context, journals ...func() []End) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.commit(ctx); err != nil {
		return err
	}
	now, ends := p.now(), []End(nil)
	for _, end := range journals {
		ends = append(ends, end()...)
	}
	p.book.Expire(now, ends...)
	return p.commit(ctx)
}

// Commits is how many batches the store has taken: that a call returned no error
// does not say that it was asked.
func (p *Poster) Commits() uint64 { return p.commits.Load() }

// commit empties the outbox into the store.
func (p *Poster) commit(ctx context.Context) error {
	for {
		batch := p.book.Take()
		if batch.Empty() {
			return p.book.Broken() // then there is something, and it is not to be stored
		}
		if err := p.store.Commit(ctx, batch); err != nil {
			p.book.stall()
			return fmt.Errorf("committing %d transfers: %w", len(batch.Transfers), err)
		}
		p.book.Committed(batch)
		p.commits.Add(1)
	}
}
