package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/worker"
)

// The price of m1 in these tests, in nano-units a token. Input and output differ,
// so that one taken for the other shows.
const (
	perInput  = sluice.Nanos(1_000)
	perOutput = sluice.Nanos(3_000)
)

// usd is that many millionths of a dollar.
func usd(millionths int64) sluice.Nanos { return sluice.Nanos(millionths) * 1_000 }

// m1Price prices m1.
func m1Price(version uint64, change func(*sluice.Price)) sluice.Price {
	p := sluice.Price{
		Version: version, Model: "m1", Asset: "USD", From: time.Date(2026, 1, 1, 0, 0, int(version), 0, time.UTC),
		Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: sluice.Rate(perInput) * 1_000_000, sluice.UnitOutput: sluice.Rate(perOutput) * 1_000_000},
	}
	if change != nil {
		change(&p)
	}
	return p
}

// disk is a folder whose fsyncs a test holds back, or has fail.
type disk struct {
	journal.Folder
	mu      sync.Mutex
	free    *sync.Cond
	held    bool
	waiting int // fsyncs that are held back
	broken  error
}

func newDisk(t testing.TB, path string) *disk {
	t.Helper()
	folder, err := journal.NewFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{Folder: folder}
	d.free = sync.NewCond(&d.mu)
	return d
}

// hold holds fsyncs back until release.
func (d *disk) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = true
}

func (d *disk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = false
	d.free.Broadcast()
}

// fail has writes and fsyncs fail with err, or work again.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

// stuck is how many fsyncs are held back.
func (d *disk) stuck() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting
}

func (d *disk) health() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}

// Create implements journal.Disk.
func (d *disk) Create(name string) (journal.File, error) {
	if err := d.health(); err != nil {
		return nil, err
	}
	f, err := d.Folder.Create(name)
	return &diskFile{f, d}, err
}

type diskFile struct {
	journal.File
	d *disk
}

// Write implements journal.File.
func (f *diskFile) Write(b []byte) (int, error) {
	if err := f.d.health(); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

// Sync implements journal.File.
func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	for f.d.held {
		f.d.waiting++
		f.d.free.Wait()
		f.d.waiting--
	}
	f.d.mu.Unlock()
	if err := f.d.health(); err != nil {
		return err
	}
	return f.File.Sync()
}

// sale is one call that the upstream served, by its own log.
type sale struct {
	input, output int64
	// free says that a customer owes nothing for it: it gave no answer.
	free bool
}

// till is the upstream's own book.
type till struct {
	mu    sync.Mutex
	sales []sale
}

func (l *till) add(s sale) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sales = append(l.sales, s)
}

func (l *till) all() []sale {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sales)
}

// next draws the usage of another call, unlike that of every other.
func (l *till) next() sale {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := sale{input: int64(10 + len(l.sales)), output: int64(20 + 2*len(l.sales))}
	l.sales = append(l.sales, s)
	return s
}

// usage renders what the upstream states.
func (s sale) usage() string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, s.input, s.output, s.input+s.output)
}

// chatAnswer renders a whole answer with the usage.
func chatAnswer(usage string) string {
	return `{"id":"c1","object":"chat.completion","created":1,"model":"m1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":` + usage + `}`
}

// chatStream renders the events of a stream with the usage.
func chatStream(usage string) []string {
	return []string{chatEvents[0], chatEvents[1], chatEvents[2],
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[],"usage":` + usage + `}`, `[DONE]`}
}

// serve answers what is asked for, a stream or a whole answer, and logs it.
func (l *till) serve(w *sluicetest.Wire, r sluicetest.Request) {
	s := l.next()
	if strings.Contains(string(r.Body), `"stream":true`) {
		sluicetest.SSE(0, chatStream(s.usage())...)(w, r)
		return
	}
	sluicetest.JSON(200, chatAnswer(s.usage()))(w, r)
}

// money is a gateway with everything that charges: a journal on a disk, a ledger
// in SQLite, and the way between them.
type money struct {
	*fixture
	disk    *disk
	journal *journal.Journal
	shipped *journal.Shipper
	road    *road
	db      *store.DB
	ledger  *worker.Books
	poster  *ledger.Poster
	till    *till
	up      *sluicetest.Upstream
	paid    int
	now     func() time.Time
}

// setting is how a money fixture differs from the usual one.
type setting struct {
	now     func() time.Time
	journal func(*journal.Config)
	options []option
	limits  sluice.Admission
	// kept leaves what is journaled where it is.
	kept bool
}

// acme is the wallet of the tenant that the fixture's key belongs to.
var acme = sluice.TenantWallet("acme", "USD")

// newMoney is a gateway whose tenant acme pays in advance, by strict terms, for
// m1 of one provider. Its wallet is empty.
func newMoney(t testing.TB, over transport, s setting) *money {
	t.Helper()
	if s.now == nil {
		s.now = time.Now
	}
	m := &money{till: &till{}, now: s.now}
	m.open(t, s)
	options := append([]option{func(g *gateway.Config, _ *limits) {
		g.Now, g.Journal, g.Shipper, g.Answers = s.now, m.journal, m.shipped, link.NewAnswers(link.AnswersConfig{Store: m.db, Now: s.now})
		g.Admission = m.admissionOver(s.limits)
	}}, s.options...)
	m.fixture = newFixture(t, over, options...)
	m.terms(func(t *sluice.Tenant) {
		t.Spending, t.UnlimitedCredit, t.Durability = sluice.SpendingPrepaid, false, ""
	})
	m.snap.Prices = []sluice.Price{m1Price(1, nil)}
	m.up = sluicetest.NewUpstream(t, m.till.serve)
	m.addProvider("p1", m.up, nil)
	m.apply()
	return m
}

// open opens database, ledger and journal, and closes them after the gateway.
func (m *money) open(t testing.TB, s setting) {
	t.Helper()
	var err error
	if m.db, err = store.Open(context.Background(), store.Config{Path: filepath.Join(t.TempDir(), "sluice.db")}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	m.ledger = worker.NewBooks(worker.BooksConfig{Own: owner(m.db, s.now, &m.poster), Now: s.now, Log: log})
	if err := m.ledger.Take(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.disk = newDisk(t, filepath.Join(t.TempDir(), "journal"))
	cfg := journal.Config{Disk: m.disk}
	if s.journal != nil {
		s.journal(&cfg)
	}
	if m.journal, _, err = journal.OpenJournal(cfg); err != nil {
		t.Fatal(err)
	}
	m.road = &road{to: m.ledger}
	m.shipped = journal.NewShipper(m.journal, m.road)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.journal.Run(ctx, nil) })
	if !s.kept {
		running.Go(func() { m.shipped.Run(ctx, nil) })
	}
	t.Cleanup(func() {
		m.disk.fail(nil)
		m.disk.release()
		cancel()
		running.Wait()
		_ = m.journal.Close()
		_ = m.db.Close()
	})
}

// owner takes the ledger of a database.
func owner(db *store.DB, now func() time.Time, poster **ledger.Poster) func(context.Context) (*worker.Owned, error) {
	return func(ctx context.Context) (*worker.Owned, error) {
		l, err := db.OwnLedger(ctx, "test", time.Minute)
		if err != nil {
			return nil, err
		}
		o := &worker.Owned{Book: ledger.NewBook(ledger.Config{})}
		o.Poster = ledger.NewPoster(o.Book, l, now)
		*poster = o.Poster
		return o, o.Poster.Start(ctx)
	}
}

// admissionOver keeps balances, and limits by another admission or by itself.
func (m *money) admissionOver(limits sluice.Admission) sluice.Admission {
	if limits == nil {
		limits = link.NewLocal(link.LocalConfig{Now: m.now})
	}
	return link.NewSpending(link.SpendingConfig{Limits: limits, Book: m.ledger.Book, TopUpURL: "https://pay.example/top-up", Now: m.now})
}

// terms changes how acme pays; apply publishes it.
func (m *money) terms(change func(*sluice.Tenant)) {
	m.t.Helper()
	for i := range m.snap.Tenants {
		if t := &m.snap.Tenants[i]; t.Name == "acme" {
			change(t)
			t.Normalize()
			return
		}
	}
	m.t.Fatal("there is no tenant acme")
}

// fast and strict are terms by which answers leave.
func fast(t *sluice.Tenant)   { t.Durability = sluice.DurabilityFast }
func strict(t *sluice.Tenant) { t.Durability = sluice.DurabilityStrict }

// topUp pays into a wallet.
func (m *money) topUp(wallet sluice.AccountID, amount sluice.Nanos) {
	m.t.Helper()
	m.paid++
	poster := m.poster
	if _, known := m.ledger.Book().Balance(wallet); !known {
		if err := poster.Open(context.Background(), sluice.Account{ID: wallet, Asset: wallet.Asset()}); err != nil {
			m.t.Fatal(err)
		}
	}
	_, err := poster.Transfer(context.Background(), sluice.Transfer{
		ID: sluice.NewTransferID(strconv.Itoa(m.paid), "top_up", 0), Debit: sluice.HouseAccount(sluice.AccountCash, wallet.Asset()), Credit: wallet,
		Amount: amount, Kind: sluice.TransferSingle, Code: sluice.TransferTopUp,
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// balance is what an account holds.
func (m *money) balance(id sluice.AccountID) ledger.Balance {
	b, _ := m.ledger.Book().Balance(id)
	return b
}

// settled waits until nothing is in flight between client and ledger.
func (m *money) settled() {
	m.t.Helper()
	m.eventually("every request has ended", func() bool { return m.g.Status().Active == 0 })
	m.eventually("everything that was journaled is booked", func() bool {
		s := m.journal.Stats()
		return s.Last <= m.road.at() || s.Segments == 0 && s.Buffered == 0
	})
	if err := m.poster.Expire(context.Background()); err != nil { // commits what refusals opened
		m.t.Fatal(err)
	}
}

// road brings a journal's entries to the books and keeps what they took: segments
// are removed behind them.
type road struct {
	to      journal.Transport
	mu      sync.Mutex
	taken   []journal.Entry
	applied journal.Seq
	closed  bool
}

// Send implements journal.Transport.
func (r *road) Send(ctx context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	if r.away() {
		return 0, sluice.Errorf(sluice.CodeUnavailable, "the road is closed")
	}
	applied, err := r.to.Send(ctx, id, after, entries)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied = max(r.applied, applied)
	for _, e := range entries {
		if err == nil && e.Seq <= applied && (len(r.taken) == 0 || r.taken[len(r.taken)-1].Seq < e.Seq) {
			r.taken = append(r.taken, e)
		}
	}
	return applied, err
}

// close has the books away, or back.
func (r *road) close(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = away
}

func (r *road) away() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// at is up to where the books have taken the journal.
func (r *road) at() journal.Seq {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.applied
}

// entries are what the journal has brought to the books.
func (m *money) entries() []journal.Entry {
	m.road.mu.Lock()
	defer m.road.mu.Unlock()
	return slices.Clone(m.road.taken)
}

// story is what a journal says of one request.
type story struct {
	hold     *sluice.Hold
	opens    int
	ends     int // attempts that ended
	progress []sluice.Posting
	final    *sluice.Posting
	record   sluice.Record
	costs    []sluice.CostLeg
}

// stories reads the journal by request and checks what holds of each.
func (m *money) stories() map[string]*story {
	m.t.Helper()
	all := map[string]*story{}
	for _, e := range m.entries() {
		id := e.Request.String()
		if all[id] == nil {
			all[id] = &story{}
		}
		all[id].add(m.t, id, &e)
	}
	for id, s := range all {
		if s.opens != s.ends || s.final == nil || s.hold == nil {
			m.t.Errorf("request %s: %d OPEN, %d TERMINAL, final %+v", id, s.opens, s.ends, s.final)
		}
	}
	return all
}

func (s *story) add(t testing.TB, id string, e *journal.Entry) {
	t.Helper()
	switch e.Kind {
	case journal.Open:
		s.opens++
		if e.Hold != nil {
			s.hold = e.Hold
		}
	case journal.Progress:
		s.progress = append(s.progress, *e.Posting)
	case journal.Terminal:
		if e.Attempt > 0 {
			s.ends++
		}
		if e.Posting.Cost.Amount > 0 {
			s.costs = append(s.costs, e.Posting.Cost)
		}
		if !e.Posting.Final {
			return
		}
		if s.final != nil {
			t.Errorf("request %s: two final TERMINALs", id)
		}
		s.final = e.Posting
		if len(e.Record) == 0 && s.final.Outcome == sluice.OutcomeCrash {
			return // whoever died wrote none; the books make one
		}
		var err error
		if s.record, err = sluice.DecodeRecord(e.Record); err != nil {
			t.Errorf("request %s: its record: %v", id, err)
		}
		if s.record.ID != id || s.record.Cost.Amount != s.final.Charge || s.record.Price != s.final.Price || s.record.Outcome != s.final.Outcome {
			t.Errorf("request %s: posting %+v, record %+v", id, s.final, s.record)
		}
	default:
		t.Errorf("journal entry %s", e.Kind)
	}
}

// story is the only one, or that of an id.
func (m *money) story(id string) *story {
	m.t.Helper()
	m.settled()
	all := m.stories()
	if s := all[id]; s != nil {
		return s
	}
	m.t.Fatalf("the journal does not know request %s", id)
	return nil
}

// only is the story of the only request.
func (m *money) only() *story {
	m.t.Helper()
	m.settled()
	all := m.stories()
	if len(all) != 1 {
		m.t.Fatalf("%d requests, want 1", len(all))
	}
	for _, s := range all {
		return s
	}
	return nil
}

// exact waits until all is settled and compares three books: what the upstream
// served, what the journal says, and what the ledger booked.
func (m *money) exact() {
	m.t.Helper()
	m.exactly(func(s sale) sluice.Nanos { return sluice.Nanos(s.input)*perInput + sluice.Nanos(s.output)*perOutput })
}

// exactly is exact by another price.
func (m *money) exactly(price func(sale) sluice.Nanos) {
	m.t.Helper()
	m.settled()
	var served []sluice.Nanos
	for _, s := range m.till.all() {
		if cost := price(s); !s.free && cost > 0 {
			served = append(served, cost)
		}
	}
	charged := m.booked()
	slices.Sort(served)
	if !slices.Equal(served, charged) {
		m.t.Errorf("the upstream served %v, the journal charges %v", served, charged)
	}
}

// booked compares journal and ledger and returns what was charged, sorted.
func (m *money) booked() (charged []sluice.Nanos) {
	m.t.Helper()
	m.settled()
	stories, sum := m.stories(), map[string]sluice.Nanos{}
	accounts, transfers := m.read()
	for _, t := range transfers {
		if chargesCustomer(&t) {
			sum[t.Request.String()] += t.Amount
		}
	}
	var total sluice.Nanos
	for id, s := range stories {
		if s.final == nil {
			continue
		}
		if s.final.Charge > 0 {
			charged = append(charged, s.final.Charge)
		}
		if total += s.final.Charge; sum[id] != s.final.Charge {
			m.t.Errorf("request %s: the journal charges %s, the ledger booked %s", id, s.final.Charge, sum[id])
		}
		if r, err := m.db.Record(context.Background(), id); err != nil || r.Cost.Amount != s.final.Charge || r.Outcome != s.final.Outcome {
			m.t.Errorf("request %s: record %+v, %v; posting %+v", id, r, err, s.final)
		}
		delete(sum, id)
	}
	if len(sum) > 0 {
		m.t.Errorf("booked for requests that the journal does not know: %v", sum)
	}
	m.sound(accounts, transfers, total)
	slices.Sort(charged)
	return charged
}

// chargesCustomer reports whether a transfer takes a charge, caps left out.
func chargesCustomer(t *sluice.Transfer) bool {
	return t.Kind != sluice.TransferPending && t.Kind != sluice.TransferVoid && t.Debit.Kind() != sluice.AccountCap &&
		(t.Code == sluice.TransferCharge || t.Code == sluice.TransferOverage || t.Code == sluice.TransferLateSettle)
}

// sound checks what must hold of a ledger in which nothing moves.
func (m *money) sound(accounts []sluice.Account, transfers []sluice.Transfer, charged sluice.Nanos) {
	m.t.Helper()
	for _, v := range ledger.Verify(accounts, transfers) {
		m.t.Errorf("the ledger as stored: %+v", v)
	}
	revenue := sluice.HouseAccount(sluice.AccountRevenue, "USD")
	for _, a := range accounts {
		if a.Pending != 0 {
			m.t.Errorf("%s still has %s pending", a.ID, a.Pending)
		}
		if mine := m.balance(a.ID); mine.Posted != a.Posted || mine.Floor == 0 && mine.Available != a.Posted && a.ID.Kind() == sluice.AccountWallet {
			m.t.Errorf("%s: the book has %+v, the store %s", a.ID, mine, a.Posted)
		}
		if a.ID == revenue && a.Posted != charged {
			m.t.Errorf("revenue is %s, %s were charged", a.Posted, charged)
		}
	}
	f := m.ledger.Book().Check(m.now(), time.Minute)
	if len(f.Violations) > 0 || f.OpenHolds+f.Promises+f.Uncommitted > 0 {
		m.t.Errorf("the book: %+v", f)
	}
	if events, err := m.db.Events(context.Background(), store.EventQuery{}); err != nil || len(events) > 0 {
		m.t.Errorf("anomalies: %+v %v", events, err)
	}
}

// read returns all accounts and transfers as stored.
func (m *money) read() (accounts []sluice.Account, transfers []sluice.Transfer) {
	m.t.Helper()
	err := m.db.ReadLedger(context.Background(), func(tx *store.Tx) error {
		return errors.Join(
			tx.EachAccount(func(a sluice.Account) error { accounts = append(accounts, a); return nil }),
			tx.EachTransfer(func(t sluice.Transfer) error { transfers = append(transfers, t); return nil }),
		)
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return accounts, transfers
}

// ask sends a chat that must succeed and returns its id.
func (m *money) ask(extra string, fields ...string) string {
	m.t.Helper()
	a := m.chat(extra, fields...)
	if a.status != 200 || a.err != nil {
		m.t.Fatalf("%d %s %v", a.status, a.body, a.err)
	}
	return a.header.Get("X-Request-Id")
}

// streamed asks for a stream.
const streamed = `,"stream":true`

// bothTerms runs a test by strict and by fast terms, over each transport.
func bothTerms(t *testing.T, test func(*testing.T, transport, func(*sluice.Tenant))) {
	onEveryTransport(t, func(t *testing.T, over transport) {
		t.Run("strict", func(t *testing.T) { test(t, over, strict) })
		t.Run("fast", func(t *testing.T) { test(t, over, fast) })
	})
}

func mustJSON(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
