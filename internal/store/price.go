package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluicegate/sluice"
)

// InsertPrice stores a new version of the price book and sets its Version, which
// is never given twice, and its From to whole microseconds. A version of the
// same model and tenant from the same moment is [sluice.CodeConflict].
func (tx *Tx) InsertPrice(p *sluice.Price) error {
	version, err := tx.next(string(sluice.KindPrice))
	if err != nil {
		return err
	}
	p.Version, p.From = version, p.From.UTC().Truncate(time.Microsecond)
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("render price version %d: %w", version, err)
	}
	n, err := tx.exec(`INSERT INTO prices (version, model, tenant, from_at, created_at, doc) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (model, tenant, from_at) DO NOTHING`, int64(version), p.Model, p.Tenant, micros(p.From), micros(tx.now), string(doc))
	if err == nil && n == 0 {
		return sluice.Errorf(sluice.CodeConflict, "%s has a price from %s already", p.Model, p.From.Format(time.RFC3339Nano)).At("/from")
	}
	return err
}

// PriceChanged draws the revision of this transaction's change to the price
// book; see [Tx.Changed].
func (tx *Tx) PriceChanged(version uint64) (revision uint64, err error) {
	return tx.changed(sluice.KindPrice, version)
}

// Price returns one version, or [sluice.CodeNotFound].
func (tx *Tx) Price(version uint64) (sluice.Price, error) {
	return tx.onePrice(`version = $1`, int64(version))
}

// PriceFrom returns the version of a model and tenant that holds from exactly
// this moment, or [sluice.CodeNotFound].
func (tx *Tx) PriceFrom(model, tenant string, from time.Time) (sluice.Price, error) {
	return tx.onePrice(`model = $1 AND tenant = $2 AND from_at = $3`, model, tenant, micros(from.Truncate(time.Microsecond)))
}

func (tx *Tx) onePrice(where string, args ...any) (p sluice.Price, err error) {
	err = tx.get(`SELECT version, doc FROM prices WHERE `+where, args, func(row scanner) error {
		p, err = scanPrice(row)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return p, sluice.Errorf(sluice.CodeNotFound, "no such price")
	}
	return p, err
}

func scanPrice(row scanner) (p sluice.Price, err error) {
	var version int64
	var doc string
	if err := row.Scan(&version, &doc); err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(doc), &p); err != nil {
		return p, sluice.Errorf(sluice.CodeDatabase, "a stored price is damaged").Because(fmt.Errorf("read price version %d: %w", version, err))
	}
	p.Version = uint64(version)
	return p, nil
}

// PriceSelection says which versions [Tx.Prices] returns.
type PriceSelection struct {
	// Tenant keeps one tenant's prices and everyone's; "" keeps all.
	Tenant string
	Model  string
	// At keeps what holds at a moment, see [sluice.PriceQuery]; zero keeps every
	// version.
	At time.Time
	// After continues behind this version.
	After uint64
	// Limit bounds the number of versions; 0 means no bound.
	Limit int
}

// Prices returns versions in ascending order.
func (tx *Tx) Prices(sel PriceSelection) ([]sluice.Price, error) {
	w := where{}
	if sel.Tenant != "" {
		w.add(`p.tenant IN ('', ?)`, sel.Tenant)
	}
	w.addIf("p.model", sel.Model)
	if !sel.At.IsZero() {
		w.addHolding(micros(sel.At), sel.Tenant)
	}
	if sel.After > 0 {
		w.add(`p.version > ?`, int64(sel.After))
	}
	return tx.prices(w, sel.Limit)
}

// addHolding keeps the versions that hold at a moment; those that a tenant's own
// replace are left out.
func (w *where) addHolding(at int64, tenant string) {
	w.add(`p.from_at <= ?`, at)
	w.add(`NOT EXISTS (SELECT 1 FROM prices n WHERE n.model = p.model AND n.tenant = p.tenant AND n.from_at > p.from_at AND n.from_at <= ?)`, at)
	if tenant != "" {
		w.add(`(p.tenant <> '' OR NOT EXISTS (SELECT 1 FROM prices o WHERE o.model = p.model AND o.tenant = ? AND o.from_at <= ?))`, tenant, at)
	}
}

func (tx *Tx) prices(w where, most int) ([]sluice.Price, error) {
	list := []sluice.Price{}
	err := tx.each(`SELECT p.version, p.doc FROM prices p`+w.sql()+` ORDER BY p.version`+limit(most), w.args, func(rows *sql.Rows) error {
		p, err := scanPrice(rows)
		list = append(list, p)
		return err
	})
	return list, err
}

// clockSkew is by how much the clock of a gateway may be behind: it still needs
// the price that held then.
const clockSkew = time.Hour

// addPublished keeps the versions that gateways need: those that held an hour
// before the last one was made, and the later ones. It depends on what is stored
// alone, so that every process publishes the same.
func (w *where) addPublished(last int64) {
	w.add(`NOT EXISTS (SELECT 1 FROM prices n WHERE n.model = p.model AND n.tenant = p.tenant AND n.from_at > p.from_at AND n.from_at <= ?)`, last-clockSkew.Microseconds())
}

// PublishedPrices counts the versions that a snapshot holds.
func (tx *Tx) PublishedPrices() (n int, err error) {
	w, err := tx.published()
	if err != nil {
		return 0, err
	}
	err = tx.row(`SELECT COUNT(*) FROM prices p`+w.sql(), w.args, &n)
	return n, err
}

func (tx *Tx) published() (w where, err error) {
	var last int64
	if err := tx.row(`SELECT COALESCE(MAX(created_at), 0) FROM prices`, nil, &last); err != nil {
		return w, err
	}
	w.addPublished(last)
	return w, nil
}

// snapshotPrices reads the prices of a snapshot.
func (tx *Tx) snapshotPrices(s *sluice.Snapshot) error {
	w, err := tx.published()
	if err != nil {
		return fmt.Errorf("read prices: %w", err)
	}
	list, err := tx.prices(w, 0)
	if err != nil {
		return fmt.Errorf("read prices: %w", err)
	}
	s.Prices = nil
	if len(list) > 0 {
		s.Prices = list
	}
	return nil
}
