package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/price"
)

// Options say what a world is like. [Weather] draws them from a seed.
type Options struct {
	Seed     uint64
	Requests int
	// Split puts the books on a node of their own, with two gateways; their
	// customers have no limit. Otherwise one process has everything.
	Split bool
	// Fast releases answers before the power may fail; nothing is promised then
	// after a power loss.
	Fast bool
	// Faults, DiskFaults, Kills and PowerLosses come once in so many chances; 0
	// is never.
	Faults, DiskFaults, Kills, PowerLosses int
	// CrashAt kills everything at that yield, and cuts the power with PowerAt.
	CrashAt int
	PowerAt bool
	// Away is for how long the database is away, from a moment on when requests
	// have begun; holds then expire sooner than it comes back.
	Away time.Duration
}

// Weather draws a world from a seed.
func Weather(seed uint64) Options {
	rng := rand.New(rand.NewPCG(seed, 0x77))
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	o := Options{
		Seed: seed, Requests: 20, Split: seed%5 == 4, Fast: seed%7 == 6,
		Faults: pick(0, 12, 40), DiskFaults: pick(0, 60, 25), Kills: pick(0, 1500, 600), PowerLosses: pick(0, 2500, 900),
	}
	if seed%3 == 0 {
		o.Away, o.Requests = awayFor, 40
	}
	return o
}

// A database is away for awayFor, after awayAt. Meanwhile clients go on to ask
// for what their little money has been spent on, by requests whose holds are over
// after holdsFor.
const (
	awayAt   = 100 * time.Millisecond
	awayFor  = 400 * time.Millisecond
	holdsFor = 80 * time.Millisecond
)

// Report is how a world ended.
type Report struct {
	// Violations lists what must not be; a good run has none.
	Violations []string
	// Trace is equal for two runs of the same history.
	Trace uint64
	// What happened, to see that a run was worth something.
	Yields, Crashes, Admitted, Refused, Charged, Transfers, Segments int
}

// World is one simulated installation.
type World struct {
	*scheduler
	opts       Options
	start      time.Time
	calm       bool // no more faults: everything has to settle
	db         *db
	nodes      []*node
	books      *node
	gateways   []*node
	requests   []*request
	topUps     []*topUp
	prices     *price.Book
	limits     map[string]sluice.Nanos // what tenants' wallets may go down to, now
	capLimit   sluice.Nanos            // what the key of the postpaid customer may spend, now
	crashes    int
	powerLoss  bool
	violations []string
}

// Run plays one world to its end.
func Run(opts Options) Report {
	w := &World{scheduler: newScheduler(opts.Seed), opts: opts}
	w.db = newDB(w)
	w.build()
	limit := 400_000
	for i := 0; i < limit && !w.settled(); i++ {
		w.step()
		w.maybeCrash()
		if b := w.books.book; b != nil && b.Broken() != nil {
			w.violate("%v", b.Broken())
			break
		}
		if !w.calm && w.allServed() {
			w.calm = true
		}
	}
	if !w.settled() {
		w.violate("the world does not settle within %d steps", limit)
	}
	for _, n := range w.nodes {
		w.kill(n)
	}
	for len(w.procs) > 0 {
		w.procs[0].stop()
		w.remove(w.procs[0])
	}
	return w.examine()
}

func (w *World) violate(format string, args ...any) {
	if len(w.violations) < 20 {
		w.violations = append(w.violations, fmt.Sprintf(format, args...))
	}
}

// maybeCrash kills nodes, with or without their power, between two steps.
func (w *World) maybeCrash() {
	if w.opts.CrashAt > 0 && w.yields >= w.opts.CrashAt {
		w.opts.CrashAt = 0
		for _, n := range w.nodes {
			w.crash(n, w.opts.PowerAt)
		}
		return
	}
	for _, n := range w.nodes {
		switch {
		case w.chance(w.opts.Kills):
			w.crash(n, false)
		case w.chance(w.opts.PowerLosses):
			w.crash(n, true)
		}
	}
}

// crash ends a node's process; it comes up again after a while.
func (w *World) crash(n *node, power bool) {
	w.note("crash", n.name)
	w.crashes++
	w.kill(n)
	n.up, n.ready, n.journal, n.book, n.poster, n.busy = false, false, nil, nil, nil, false
	for _, r := range w.requests {
		if r.node == n && !r.done {
			r.crashed, r.done = true, true
		}
	}
	if power && n.disk != nil {
		n.disk.powerLoss()
		w.powerLoss = true
	}
	w.spawn(n, n.name+".boot", n.boot)
}

const (
	asset = "USD"
	model = "m"
)

// What the terms of the postpaid customer change between.
var (
	credits = []sluice.Nanos{-900_000_000, -30_000_000, -8_000_000, sluice.NoFloor}
	caps    = []sluice.Nanos{60_000_000, 25_000_000, 90_000_000}
)

func wallet(tenant string) sluice.AccountID {
	return sluice.OwnedAccount(sluice.AccountWallet, tenant, asset)
}

// build sets the world up: customers of every mode, prices, nodes, clients.
func (w *World) build() {
	w.start = w.now
	start := w.now
	rates := func(scale int64) map[sluice.Unit]sluice.Rate {
		return map[sluice.Unit]sluice.Rate{sluice.UnitInput: sluice.Rate(2_500_001 * scale), sluice.UnitOutput: sluice.Rate(10_000_007 * scale), sluice.UnitRequest: 3}
	}
	w.prices, _ = price.NewBook([]sluice.Price{
		{Version: 1, Model: model, Asset: asset, From: start, Rates: rates(1000)},
		{Version: 2, Model: model, Asset: asset, From: start.Add(100 * time.Millisecond), Rates: rates(1300)},
	})
	w.limits = map[string]sluice.Nanos{"prepaid": 0, "postpaid": credits[0], "free": sluice.NoFloor}
	w.capLimit = caps[0]
	if w.opts.Away == 0 { // what changes is committed before anything expires
		w.spawn(nil, "terms", w.changeTerms)
	}
	if w.opts.Split {
		w.books = w.addNode("books", false, true)
		w.gateways = []*node{w.addNode("gateway1", true, false), w.addNode("gateway2", true, false)}
	} else {
		w.books = w.addNode("serve", true, true)
		w.gateways = []*node{w.books}
	}
	for i := range 8 {
		t := &topUp{n: i, to: wallet([]string{"prepaid", "postpaid"}[i/7]), within: 150, amount: sluice.Nanos(20_000_000 + w.rng.Int64N(60_000_000))}
		t.opens = []sluice.Account{{ID: t.to, Asset: asset}}
		if i < 2 {
			t.to = grantOf(i + 1)
			t.opens = append(t.opens, sluice.Account{ID: t.to, Asset: asset, Wallet: wallet("prepaid"), ExpiresAt: start.Add([]time.Duration{180 * time.Millisecond, time.Hour}[i])})
		}
		if i >= 4 {
			t.within = 600 // when there is something to repay
		}
		if w.opts.Away > 0 {
			t.within, t.amount = int(awayAt/time.Millisecond)-20, t.amount/8
		}
		w.topUps = append(w.topUps, t)
		w.spawn(nil, fmt.Sprintf("topup%d", i), func() { w.bringMoney(t) })
	}
	for i := range w.opts.Requests {
		r := w.draw(i)
		if r.tenant == "postpaid" {
			r.caps = sluice.OwnedAccount(sluice.AccountCap, "key/1", asset)
		}
		w.requests = append(w.requests, r)
		w.spawn(nil, fmt.Sprintf("client%d", i), func() { w.ask(r) })
	}
}

// changeTerms is the operator, who raises and lowers limits while requests run.
func (w *World) changeTerms() {
	for range 6 {
		w.sleep("terms", time.Duration(w.rng.IntN(70))*time.Millisecond)
		w.limits["postpaid"] = credits[w.rng.IntN(len(credits))]
		w.capLimit = caps[w.rng.IntN(len(caps))]
	}
}

func grantOf(n int) sluice.AccountID {
	return sluice.OwnedAccount(sluice.AccountGrant, fmt.Sprintf("promo%d", n), asset)
}

// topUp is money from outside: it has to arrive exactly once.
type topUp struct {
	n      int
	to     sluice.AccountID
	opens  []sluice.Account // what nobody may have opened before
	within int              // ms
	amount sluice.Nanos
	booked bool
	barred bool // its grant had expired
}

func (t *topUp) transfer() sluice.Transfer {
	return sluice.Transfer{
		ID: sluice.NewTransferID(fmt.Sprintf("payment%d", t.n), "top_up", 0), Debit: sluice.HouseAccount(sluice.AccountCash, asset), Credit: t.to,
		Amount: t.amount, Kind: sluice.TransferSingle, Code: sluice.TransferTopUp,
	}
}

// bringMoney repeats a top-up until it is answered, then once more, then with
// another amount.
func (w *World) bringMoney(t *topUp) {
	w.sleep("topup", time.Duration(w.rng.IntN(t.within))*time.Millisecond)
	for !t.booked && !t.barred {
		switch made, err := w.transfer(t.opens, t.transfer()); {
		case err == nil:
			t.booked = true
			if made[0].Amount != t.amount {
				w.violate("top-up %d was answered with %s", t.n, made[0].Amount)
			}
		case sluice.CodeOf(err) == sluice.CodeConflict:
			t.barred = true
		default:
			w.sleep("topup.retry", 5*time.Millisecond)
		}
	}
	if t.barred {
		return
	}
	other := t.transfer()
	other.Amount++
	for range 3 {
		if _, err := w.transfer(t.opens, t.transfer()); err != nil && sluice.CodeOf(err) == sluice.CodeConflict {
			w.violate("top-up %d repeated: %v", t.n, err)
		}
		if _, err := w.transfer(nil, other); err == nil {
			w.violate("top-up %d was booked with another amount", t.n)
		}
		w.sleep("topup.again", 20*time.Millisecond)
	}
}

// transfer books directly at the books' node, once its accounts are open.
func (w *World) transfer(opens []sluice.Account, t sluice.Transfer) (made []sluice.Transfer, err error) {
	for !w.books.up {
		w.sleep("books.wait", time.Millisecond)
	}
	if !w.books.call(func(p *ledger.Poster) {
		if err = p.Open(context.Background(), opens...); err == nil {
			made, err = p.Transfer(context.Background(), t)
		}
	}) {
		return nil, errDB
	}
	return made, err
}

// call runs something in the books' process and waits for it; false means that
// the process died before it answered.
func (n *node) call(run func(*ledger.Poster)) bool {
	if !n.up {
		return false
	}
	boot, done := n.boots, false
	n.w.spawn(n, n.name+".call", func() {
		for n.busy {
			n.w.sleep("books.queue", 300*time.Microsecond)
		}
		n.busy = true
		run(n.poster)
		n.busy, done = false, true
	})
	for !done {
		if !n.up || n.boots != boot {
			return false
		}
		n.w.sleep("books.answer", 300*time.Microsecond)
	}
	return true
}

// allServed reports whether every client has had what it will get.
func (w *World) allServed() bool {
	for _, r := range w.requests {
		if !r.done {
			return false
		}
	}
	return true
}

// settled reports whether nothing is left to happen.
func (w *World) settled() bool {
	if !w.calm {
		return false
	}
	for _, t := range w.topUps {
		if !t.booked && !t.barred {
			return false
		}
	}
	for id, a := range w.db.accounts {
		if id.Kind() == sluice.AccountGrant && !a.ExpiresAt.After(w.now) && a.Posted != 0 {
			return false // the next sweep takes it
		}
	}
	if !w.books.up || w.books.busy || !w.books.book.Take().Empty() {
		return false
	}
	for _, g := range w.gateways {
		if !g.up || g.journal == nil {
			return false
		}
		if g.journal.Stats().Requests > 0 || !w.shipped(g) {
			return false
		}
	}
	figures := w.books.book.Check(w.now, time.Minute)
	return figures.OpenHolds+figures.Promises == 0
}

// shipped reports whether everything that a gateway journaled, in this process and
// former ones, is in the database.
func (w *World) shipped(g *node) bool {
	for id, last := range g.journal.Tails() {
		if w.db.positions[id] < uint64(last) {
			return false
		}
	}
	return true
}

// node is a process: a gateway with its journal, the books, or both.
type node struct {
	w     *World
	name  string
	up    bool
	ready bool // to serve: what it had journaled before it died is in its books
	boots int
	// openings counts the identities that its journals had.
	openings uint32
	disk     *disk // of a gateway
	journal  *journal.Journal
	serves   bool
	books    bool
	book     *ledger.Book
	poster   *ledger.Poster
	busy     bool // somebody is in the poster
}

func (w *World) addNode(name string, gateway, books bool) *node {
	n := &node{w: w, name: name, serves: gateway, books: books}
	if gateway {
		n.disk = newDisk(w)
	}
	w.nodes = append(w.nodes, n)
	w.spawn(n, name+".boot", n.boot)
	return n
}

// boot is what a process does at its start.
func (n *node) boot() {
	w := n.w
	w.sleep("boot", time.Duration(1+w.rng.IntN(10))*time.Millisecond)
	n.boots++
	if n.books {
		book := ledger.NewBook(ledger.Config{Remember: 16})
		poster := ledger.NewPoster(book, w.db, func() time.Time { return w.now })
		for err := poster.Start(context.Background()); err != nil; err = poster.Start(context.Background()) {
			w.violate("the books do not open: %v", err)
			return
		}
		n.book, n.poster = book, poster
		w.spawn(n, n.name+".expire", n.expire)
	}
	if n.serves && !n.bootJournal() {
		return
	}
	n.up = true
	for n.books && n.serves && !w.shipped(n) {
		w.sleep("boot.ship", time.Millisecond)
	}
	n.ready = true
}

// identity is what a journal is called that this process opens: each opening has
// another one, or an old copy could take its entries for those of its successor.
func (n *node) identity() (id [8]byte) {
	n.openings++
	id[0], id[1] = n.name[0], n.name[len(n.name)-1]
	binary.BigEndian.PutUint32(id[4:], n.openings)
	return id
}

func (n *node) bootJournal() bool {
	w := n.w
	cfg := journal.Config{
		Disk: n.disk, SegmentBytes: 3 << 10, QuotaBytes: 40 << 10, BufferBytes: 16 << 10,
		ID: n.identity,
	}
	var j *journal.Journal
	for {
		opened, rec, err := journal.OpenJournal(cfg)
		if err != nil {
			w.sleep("journal.open.retry", 5*time.Millisecond)
			continue
		}
		for _, d := range rec.Damage {
			w.violate("I11: %s: recovery calls %+v damage", n.name, d)
		}
		j = opened
		_ = j.EndCrashed(rec, w.now) // a failing disk is tried again by the writer
		break
	}
	n.journal = j
	w.spawn(n, n.name+".write", func() {
		for {
			_ = j.Flush()
			w.sleep("flush", time.Duration(w.rng.IntN(600))*time.Microsecond)
		}
	})
	w.spawn(n, n.name+".ship", func() {
		s := journal.NewShipper(j, &transport{n: n})
		for {
			more, err := s.Step(context.Background())
			if err != nil || !more {
				w.sleep("ship.idle", 3*time.Millisecond)
			}
		}
	})
	return true
}

// expire voids what is past its time.
func (n *node) expire() {
	for {
		n.w.sleep("expire", 40*time.Millisecond)
		if !n.busy {
			n.busy = true
			_ = n.poster.Expire(context.Background(), n.ends()...)
			n.busy = false
		}
	}
}

// ends says where the journal of a process ends that has one.
func (n *node) ends() []func() []ledger.End {
	j := n.journal
	if j == nil {
		return nil
	}
	return []func() []ledger.End{func() (ends []ledger.End) {
		for id, last := range j.Tails() {
			ends = append(ends, ledger.End{Journal: id, Seq: uint64(last)})
		}
		slices.SortFunc(ends, func(x, y ledger.End) int { return strings.Compare(x.Journal, y.Journal) })
		return ends
	}}
}

// transport carries entries to the books: it drops, repeats, delays and
// reorders.
type transport struct {
	n     *node
	stale []message
}

type message struct {
	id    string
	after journal.Seq
	facts []ledger.Fact
}

// Send implements [journal.Transport].
func (t *transport) Send(ctx context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	w := t.n.w
	w.pause("net.send")
	if w.chance(w.opts.Faults) {
		return 0, errDB
	}
	m := message{id: id, after: after}
	for i := range entries {
		m.facts = append(m.facts, factOf(&entries[i]))
	}
	if len(t.stale) > 0 && w.chance(3*w.opts.Faults/2) {
		_, _ = t.deliver(ctx, t.stale[w.rng.IntN(len(t.stale))])
	}
	t.stale = append(t.stale, m)
	applied, err := t.deliver(ctx, m)
	if w.chance(w.opts.Faults) {
		applied, err = t.deliver(ctx, m)
	}
	if w.chance(w.opts.Faults) {
		return 0, errDB
	}
	return applied, err
}

func (t *transport) deliver(ctx context.Context, m message) (journal.Seq, error) {
	var position uint64
	var err error
	if w := t.n.w; w.away() && !w.chance(w.opts.Faults) {
		return 0, errDB // records come first, and cannot be stored
	}
	facts := append([]ledger.Fact(nil), m.facts...)
	if !t.n.w.books.call(func(p *ledger.Poster) { position, err = p.Receive(ctx, m.id, uint64(m.after), facts) }) {
		return 0, errDB
	}
	return journal.Seq(position), err
}

// factOf is an entry as the ledger sees it.
func factOf(e *journal.Entry) ledger.Fact {
	f := ledger.Fact{Seq: uint64(max(e.Seq, e.Through)), Lost: e.Kind == journal.Lost}
	switch e.Kind {
	case journal.Open:
		f.Hold = e.Hold
	case journal.Terminal:
		f.Posting = e.Posting
	}
	return f
}
