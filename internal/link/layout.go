package link

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// The names of keys in Redis (docs/REDIS.md). The first three hashes, their
// field names and auth:token:<sha256> are a public contract.
const (
	hashProviders = "config:providers" // field: id
	hashKeys      = "config:keys"      // field: SHA-256 of the token, hex
	hashModels    = "meta:models"      // field: name; of other tenants than the platform "<tenant>|<name>"
	hashRoutes    = "config:routes"    // field: id
	hashUpstreams = "config:upstreams" // field: id
	hashGroups    = "config:groups"    // field: id
	hashTenants   = "config:tenants"   // field: id
	hashMeta      = "config:meta"      // fields: global_plugins, disabled_user:<tenant>/<name>
	hashPrices    = "config:prices"    // field: version

	keyRev      = "config:rev"      // the revision, a decimal number
	keyManifest = "config:manifest" // a hash: see manifest
	keyChanges  = "config:changes"  // a stream: which fields each revision touched
	keyNotify   = "config:notify"   // the channel on which revisions are announced
	keyNext     = "config:next:"    // <sync id>:<hash>: a full sync in the making
	keyToken    = "auth:token:"     // <SHA-256 of the token, hex>: a hash
	keyRetiring = "auth:retiring:"  // <SHA-256 of the token before a rotation, hex>: that of today
	keyAck      = "config:ack:"     // <gateway>: a hash
	keyFleet    = "config:gateways" // a sorted set: gateways by their last report
	keyAnswer   = "idem:"           // <SHA-256 of scope and Idempotency-Key, hex>: a hash
	keyAnswers  = "idem:of:"        // <SHA-256 of scope, hex>: a hash, keys and bytes by hour

	fieldPlugins = "global_plugins"
	fieldUser    = "disabled_user:"
)

// hashes lists the published hashes; scripts take their keys in this order.
var hashes = [...]string{hashProviders, hashKeys, hashModels, hashRoutes, hashUpstreams, hashGroups, hashTenants, hashMeta, hashPrices}

// keysHash is the index of hashKeys.
const keysHash = 1

// entry is one field of a published hash.
type entry struct{ field, value string }

// sum identifies an entry: sums of a hash's entries are added, modulo 2^64, so
// that a digest follows a change without reading everything again.
func (e entry) sum() uint64 {
	var d xxhash.Digest
	d.Reset()
	d.WriteString(e.field)
	d.Write([]byte{0})
	d.WriteString(e.value)
	return d.Sum64()
}

// digest is the size of a hash and the sum of its entries' sums.
type digest struct {
	count int
	sum   uint64
}

func (d *digest) add(e entry)    { d.count, d.sum = d.count+1, d.sum+e.sum() }
func (d *digest) remove(e entry) { d.count, d.sum = d.count-1, d.sum-e.sum() }

// String is the manifest's form: "<count> <hex>".
func (d digest) String() string { return fmt.Sprintf("%d %016x", d.count, d.sum) }

func parseDigest(s string) (d digest, err error) {
	_, err = fmt.Sscanf(s, "%d %x", &d.count, &d.sum)
	return d, err
}

// The published forms put the fields of the contract first and always; the
// fields of the noun that they repeat are hidden by them.
type (
	publishedProvider struct {
		ID      uint64 `json:"id"`
		Name    string `json:"name"`
		Type    string `json:"type"`
		BaseURL string `json:"base_url"`
		APIKey  string `json:"api_key"`
		Group   string `json:"group"`
		sluice.Provider
	}
	publishedKey struct {
		ID        uint64        `json:"id"`
		TokenHash string        `json:"token_hash"`
		Group     string        `json:"group"`
		Status    sluice.Status `json:"status"`
		Weight    int           `json:"weight"`
		Balance   sluice.Number `json:"balance"`
		sluice.Key
	}
	publishedModel struct {
		Name               string      `json:"name"`
		ContextWindow      int64       `json:"context_window"`
		CostPerToken       sluice.Rate `json:"cost_per_token"`
		SupportsVision     bool        `json:"supports_vision"`
		SupportsFunctions  bool        `json:"supports_functions"`
		SupportsToolChoice bool        `json:"supports_tool_choice"`
		SupportsFIM        bool        `json:"supports_fim"`
		MaxOutputTokens    int64       `json:"max_output_tokens"`
		sluice.Model
		// Unstated names the abilities that are false only because nobody stated
		// them: gateways refuse nothing for their sake.
		Unstated []string `json:"unstated,omitempty"`
	}
)

// encoder turns objects into entries.
type encoder struct {
	// open gives a provider's credential in clear; nil leaves it sealed.
	open *seal.Keyring
}

func (c encoder) provider(p *sluice.Provider) (entry, error) {
	secret := p.APIKey
	if c.open != nil && seal.Sealed(secret) {
		clear, err := c.open.Open(seal.ProviderKey(p.Tenant, p.Name), secret)
		if err != nil {
			return entry{}, fmt.Errorf("open the credential of provider %s/%s: %w", p.Tenant, p.Name, err)
		}
		secret = clear
	}
	return encoded(idField(p.ID), publishedProvider{p.ID, p.Name, p.Type, p.BaseURL, secret, p.Group, *p})
}

// key leaves out what changes with every request, which the revision does not
// count, and the plaintext, which no snapshot has.
func (c encoder) key(k *sluice.Key) (entry, error) {
	own := *k
	own.LastUsedAt, own.Token = time.Time{}, ""
	return encoded(k.TokenHash, publishedKey{k.ID, k.TokenHash, k.Group, k.Status, k.Weight, k.Balance, own})
}

func (c encoder) model(m *sluice.Model) (entry, error) {
	field := m.Name
	if m.Tenant != sluice.PlatformTenant {
		field = m.Tenant + "|" + m.Name // no name holds a bar
	}
	p := publishedModel{Name: m.Name, ContextWindow: m.ContextWindow, CostPerToken: m.CostPerToken, MaxOutputTokens: m.MaxOutputTokens, Model: *m}
	for i, into := range []*bool{&p.SupportsVision, &p.SupportsFunctions, &p.SupportsToolChoice, &p.SupportsFIM} {
		ability := contractAbilities[i]
		if stated := *ability.of(m); stated != nil {
			*into = *stated
		} else {
			p.Unstated = append(p.Unstated, ability.name)
		}
	}
	return encoded(field, p)
}

// contractAbilities are those that the contract publishes as booleans, in its
// order.
var contractAbilities = [...]struct {
	name string
	of   func(*sluice.Model) **bool
}{
	{"supports_vision", func(m *sluice.Model) **bool { return &m.SupportsVision }},
	{"supports_functions", func(m *sluice.Model) **bool { return &m.SupportsFunctions }},
	{"supports_tool_choice", func(m *sluice.Model) **bool { return &m.SupportsToolChoice }},
	{"supports_fim", func(m *sluice.Model) **bool { return &m.SupportsFIM }},
}

// readModel is the inverse of encoder.model.
func readModel(value []byte, m *sluice.Model) error {
	p := struct {
		*sluice.Model
		Unstated []string `json:"unstated"`
	}{Model: m}
	if err := json.Unmarshal(value, &p); err != nil {
		return err
	}
	for _, ability := range contractAbilities {
		if slices.Contains(p.Unstated, ability.name) {
			*ability.of(m) = nil
		}
	}
	return nil
}

func (c encoder) route(o *sluice.Route) (entry, error)       { return encoded(idField(o.ID), o) }
func (c encoder) upstream(o *sluice.Upstream) (entry, error) { return encoded(idField(o.ID), o) }
func (c encoder) group(o *sluice.Group) (entry, error)       { return encoded(idField(o.ID), o) }
func (c encoder) tenant(o *sluice.Tenant) (entry, error)     { return encoded(idField(o.ID), o) }
func (c encoder) price(p *sluice.Price) (entry, error)       { return encoded(idField(p.Version), p) }

// meta is what a snapshot says that is no managed object.
func (c encoder) meta(s *sluice.Snapshot) ([]entry, error) {
	list := make([]entry, 0, 1+len(s.DisabledUsers))
	if len(s.GlobalPlugins) > 0 {
		e, err := encoded(fieldPlugins, s.GlobalPlugins)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	for _, u := range s.DisabledUsers {
		e, err := encoded(fieldUser+u.Tenant+"/"+u.Name, u)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// token is the hash auth:token:<sha256> as arguments of HSET.
func token(k *sluice.Key) []any {
	return []any{string(k.Status), k.Group, strconv.Itoa(k.Weight), sluice.Nanos(k.Balance).String()}
}

// retiring tells the hash that a key had before its rotation, and until when it
// works (Unix ms); ok is false when there is none.
func retiring(k *sluice.Key) (hash string, until int64, ok bool) {
	return k.RetiringHash, k.RetiringUntil.UnixMilli(), k.RetiringHash != "" && !k.RetiringUntil.IsZero()
}

func idField(id uint64) string { return strconv.FormatUint(id, 10) }

// encoded renders a value without escaping HTML, as [sluice.Snapshot.Encode]
// does.
func encoded(field string, v any) (entry, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return entry{}, fmt.Errorf("encode field %s: %w", field, err)
	}
	return entry{field, string(bytes.TrimRight(b.Bytes(), "\n"))}, nil
}
