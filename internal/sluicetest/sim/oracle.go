package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
)

// examine compares the three books of a world that has settled.
func (w *World) examine() Report {
	o := oracle{World: w, charged: map[sluice.RequestID]sluice.Nanos{}, costs: map[sluice.RequestID]sluice.Nanos{}, entries: map[sluice.RequestID][]journal.Entry{}}
	o.readLedger()
	for _, g := range w.gateways {
		o.readJournal(g)
	}
	for _, r := range w.requests {
		o.request(r)
	}
	o.money()
	rep := Report{
		Violations: w.violations, Trace: w.trace, Yields: w.yields, Crashes: w.crashes, Transfers: len(w.db.transfers), Segments: o.segments,
	}
	for _, r := range w.requests {
		switch {
		case r.refused:
			rep.Refused++
		default:
			rep.Admitted++
		}
		if o.charged[r.id] > 0 {
			rep.Charged++
		}
	}
	return rep
}

// oracle reads what the world left behind.
type oracle struct {
	*World
	charged  map[sluice.RequestID]sluice.Nanos
	costs    map[sluice.RequestID]sluice.Nanos
	entries  map[sluice.RequestID][]journal.Entry
	segments int
}

// readLedger checks the ledger by itself (I1 to I4, I12) and sums it up by
// request.
func (o *oracle) readLedger() {
	for _, v := range ledger.Verify(o.db.list(), o.db.transfers) {
		o.violate("%s: %s: %s", v.Invariant, v.Subject, v.Message)
	}
	if o.books.book != nil {
		figures := o.books.book.Check(o.now, time.Minute)
		for _, v := range figures.Violations {
			o.violate("%s in memory: %s: %s", v.Invariant, v.Subject, v.Message)
		}
		o.sameBalances()
	}
	for _, a := range o.db.anomalies {
		o.violate("anomaly: %+v", a)
	}
	for _, a := range o.db.accounts {
		if a.Pending != 0 {
			o.violate("I12: %s still has %s pending", a.ID, a.Pending)
		}
	}
	for _, t := range o.db.transfers {
		moves := t.Kind == sluice.TransferSingle || t.Kind == sluice.TransferPost
		switch {
		case t.Code == sluice.TransferCost:
			o.costs[t.Request] += t.Amount
		case moves && strings.HasPrefix(string(t.Credit), string(sluice.AccountRevenue)):
			o.charged[t.Request] += t.Amount
		}
	}
}

// sameBalances compares memory and store (I7, without Redis).
func (o *oracle) sameBalances() {
	for _, a := range o.db.accounts {
		b, ok := o.books.book.Balance(a.ID)
		if !ok || b.Account != *a {
			o.violate("I7: the store has %+v, memory %+v", *a, b.Account)
		}
	}
}

// readJournal reads everything a gateway ever journaled, what was truncated
// included (I11).
func (o *oracle) readJournal(g *node) {
	whole := newDisk(o.World)
	for name, content := range g.disk.archive {
		if strings.HasPrefix(string(content), "SLUICEJ1") && len(content) > 72 {
			whole.files[name] = &file{d: whole, content: content}
		}
	}
	maps.Copy(whole.files, g.disk.files)
	j, rec, err := journal.OpenJournal(journal.Config{Disk: whole})
	if err != nil {
		o.violate("I11: the archive of %s: %v", g.name, err)
		return
	}
	o.segments += rec.Segments
	for _, d := range rec.Damage {
		o.violate("I11: the archive of %s: %+v", g.name, d)
	}
	if rec.Unfinished > 0 {
		o.violate("I5: %d requests of %s have an OPEN and no TERMINAL", rec.Unfinished, g.name)
	}
	reader := j.Reader(0)
	for {
		e, ok, err := reader.Next()
		if err != nil || e.Kind == journal.Lost {
			o.violate("I11: reading the archive of %s: %+v %v", g.name, e, err)
		}
		if err != nil || !ok {
			return
		}
		o.entries[e.Request] = append(o.entries[e.Request], e)
	}
}

// request holds one request's traces against each other.
func (o *oracle) request(r *request) {
	opens, ends := map[uint16]int{}, map[uint16]int{}
	finals, journaled, costs := 0, sluice.Nanos(0), sluice.Nanos(0)
	for _, e := range o.entries[r.id] {
		switch e.Kind {
		case journal.Open:
			opens[e.Attempt]++
		case journal.Terminal:
			ends[e.Attempt]++
			costs += e.Posting.Cost.Amount
			if e.Posting.Final {
				finals++
				journaled = e.Posting.Charge
				o.recompute(r, e.Posting)
			}
		}
	}
	for attempt, n := range opens {
		if n != 1 || ends[attempt] != 1 {
			o.violate("I5: request %d, attempt %d: %d OPEN, %d TERMINAL", r.n, attempt, n, ends[attempt])
		}
	}
	if len(opens) > 0 && finals != 1 {
		o.violate("I5: request %d has %d final TERMINALs", r.n, finals)
	}
	charged := o.charged[r.id]
	if charged != journaled {
		o.violate("I6: request %d: the journal says %s, the ledger %s", r.n, journaled, charged)
	}
	if costs != o.costs[r.id] {
		o.violate("I6: request %d cost %s by the journal, %s by the ledger", r.n, costs, o.costs[r.id])
	}
	o.upstream(r, charged, opens)
}

// recompute prices a charge again from what was used (I6).
func (o *oracle) recompute(r *request, p *sluice.Posting) {
	if p.Charge == 0 {
		return
	}
	v, ok := o.prices.Version(p.Price.Version)
	if !ok {
		o.violate("I6: request %d was priced by version %d", r.n, p.Price.Version)
		return
	}
	if again, err := v.Charge(p.Quantities, p.Price.Multiplier); err != nil || again != p.Charge {
		o.violate("I6: request %d was charged %s, its usage costs %s, %v", r.n, p.Charge, again, err)
	}
}

// upstream holds a request against what the upstream served.
func (o *oracle) upstream(r *request, charged sluice.Nanos, opens map[uint16]int) {
	if r.refused && (len(r.calls) > 0 || charged != 0) {
		o.violate("request %d was refused, called %d times and charged %s", r.n, len(r.calls), charged)
	}
	forgiven := o.opts.Fast && o.powerLoss // fast promises nothing for a power loss
	for _, c := range r.calls {
		if opens[c.attempt] == 0 && !forgiven {
			o.violate("I5: request %d, attempt %d reached the upstream without an OPEN", r.n, c.attempt)
		}
	}
	most := sluice.Nanos(0)
	if len(r.calls) > 0 && int(r.calls[len(r.calls)-1].attempt) > r.failures {
		most = charge(r, r.calls[len(r.calls)-1].served)
	}
	if charged > most {
		o.violate("request %d was charged %s, the upstream served %s", r.n, charged, most)
	}
	switch {
	case forgiven:
	case (r.safe || r.ended && !r.crashed) && charged != r.charge:
		o.violate("request %d was charged %s, its ending says %s (last frame %v)", r.n, charged, r.charge, r.last)
	case r.crashed && charged < r.proven:
		o.violate("request %d was charged %s, PROGRESS had %s", r.n, charged, r.proven)
	}
}

// money checks that what came in is there: topped up, spent, or expired.
func (o *oracle) money() {
	balance := func(id sluice.AccountID) sluice.Nanos {
		if a := o.db.accounts[id]; a != nil {
			return a.Posted
		}
		return 0
	}
	in := sluice.Nanos(0)
	for _, t := range o.topUps {
		i, ok := o.db.byID[t.transfer().ID]
		if ok != t.booked && !(ok && t.barred) || ok && o.db.transfers[i].Amount != t.amount {
			o.violate("top-up %d: answered %v, in the books %v", t.n, t.booked, ok)
		}
		if ok {
			in += t.amount
		}
	}
	if cash := -balance(sluice.HouseAccount(sluice.AccountCash, asset)); cash != in {
		o.violate("%s was paid in, the books have %s", in, cash)
	}
	spent := sluice.Nanos(0)
	for _, r := range o.requests {
		spent += o.charged[r.id]
	}
	if revenue := balance(sluice.HouseAccount(sluice.AccountRevenue, asset)); revenue != spent {
		o.violate("I8: requests were charged %s, revenue is %s", spent, revenue)
	}
	if loss := balance(sluice.HouseAccount(sluice.AccountLoss, asset)); loss != 0 {
		o.violate("the house bears %s that customers owe", -loss)
	}
	o.credit(balance)
	o.repaid()
	for _, id := range slices.Sorted(maps.Keys(o.db.accounts)) {
		if id.Kind() == sluice.AccountGrant && !o.db.accounts[id].ExpiresAt.After(o.now) && balance(id) != 0 {
			o.violate("grant %s has expired and holds %s", id, balance(id))
		}
	}
}

// credit checks that customers with a limit were not let beyond it: they owe at
// most what deliveries exceeded their holds by (E-01). A hold that expired, and
// grants that did while a crash had their promises forgotten, hold nothing.
func (o *oracle) credit(balance func(sluice.AccountID) sluice.Nanos) {
	beyond, charged := map[string]sluice.Nanos{}, map[string]sluice.Nanos{}
	for _, r := range o.requests {
		charged[r.tenant] += o.charged[r.id]
		if r.hasty {
			beyond[r.tenant] += o.charged[r.id]
		} else {
			beyond[r.tenant] += max(0, o.charged[r.id]-r.estimate)
		}
	}
	if o.crashes > 0 {
		for _, t := range o.topUps[:2] {
			beyond["prepaid"] += t.amount
		}
	}
	for _, tenant := range []string{"prepaid", "postpaid"} {
		if owed := -balance(sluice.OwnedAccount(sluice.AccountReceivable, tenant, asset)); owed > beyond[tenant] {
			o.violate("%s owes %s, deliveries exceeded holds by %s", tenant, owed, beyond[tenant])
		}
	}
	if most := slices.Max(caps); charged["postpaid"] > most+beyond["postpaid"] {
		o.violate("a cap of at most %s let %s through, %s of it beyond holds", most, charged["postpaid"], beyond["postpaid"])
	}
}

// repaid checks that every top-up of a wallet pays first what its owner owes.
func (o *oracle) repaid() {
	owed, due, txn := map[string]sluice.Nanos{}, sluice.Nanos(0), sluice.TransferID{}
	debtor := func(id sluice.AccountID, kind sluice.AccountKind) string {
		for _, tenant := range []string{"prepaid", "postpaid"} {
			if id == sluice.OwnedAccount(kind, tenant, asset) {
				return tenant
			}
		}
		return ""
	}
	for _, t := range o.db.transfers {
		if repays := t.Code == sluice.TransferRepay; repays != (due > 0) || repays && (t.Amount != due || t.Txn != txn) {
			o.violate("of top-up %s, %s was to repay; instead came %+v", txn, due, t)
		}
		due = 0
		owed[debtor(t.Debit, sluice.AccountReceivable)] += t.Amount
		owed[debtor(t.Credit, sluice.AccountReceivable)] -= t.Amount
		if tenant := debtor(t.Credit, sluice.AccountWallet); tenant != "" && t.Code == sluice.TransferTopUp {
			due, txn = min(owed[tenant], t.Amount), t.ID
		}
	}
}

// covered checks, whenever a hold is granted, that what the store has covers all
// that is held, in the wallet and under the cap: credit that only memory knows of
// is credit that a crash takes back.
func (w *World) covered(r *request, hold *sluice.Hold) {
	posted := func(belongs func(*sluice.Account) bool) (sum sluice.Nanos) {
		for _, a := range w.db.accounts {
			if belongs(a) {
				sum += a.Posted
			}
		}
		return sum
	}
	if hold.Floor != sluice.NoFloor {
		has := posted(func(a *sluice.Account) bool {
			return a.ID == hold.Wallet || a.Wallet == hold.Wallet && a.ID.Kind() == sluice.AccountGrant
		})
		w.within(r.tenant, has-hold.Floor, func(o *request) bool { return o.tenant == r.tenant })
	}
	for _, c := range hold.Caps {
		has := posted(func(a *sluice.Account) bool { return a.ID == c.Account })
		w.within(string(c.Account), has+c.Limit, func(o *request) bool { return o.caps == c.Account })
	}
}

// within checks that requests hold no more than there is.
func (w *World) within(what string, has sluice.Nanos, mine func(*request) bool) {
	held := sluice.Nanos(0)
	for _, r := range w.requests {
		_, settled := w.db.byID[sluice.NewTransferID(r.id.String(), "settle", 0).Of(r.id)]
		if mine(r) && r.held && !r.refused && !r.crashed && !r.hasty && !settled {
			held += r.estimate
		}
	}
	if held > has {
		w.violate("%s holds %s, the store has %s", what, held, has)
	}
}
