package control

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// masked stands for every secret in the audit log.
const masked = "***"

// secretName matches the JSON names whose values the audit log never shows, at
// any depth: plugin configurations hold secrets, too.
var secretName = regexp.MustCompile(`(?i)secret|passw|token|hash|api_?key|credential|private|signature|authorization|cookie`)

// audit writes a change into the audit log.
func (s *Session) audit(tx *store.Tx, ch change, diff json.RawMessage) error {
	o := either(ch.after, ch.before)
	m := o.GetMeta()
	return tx.Append(&sluice.AuditEntry{
		Tenant: m.Tenant, Actor: s.actor(), Action: ch.action, Kind: o.Kind(), Object: m.Name, ObjectID: m.ID,
		Diff: diff, RequestID: s.caller.RequestID, IP: s.caller.IP,
	})
}

// note writes an entry that changes no managed object, for instance a sign-in.
func note(tx *store.Tx, action string, u *sluice.User, from Client) error {
	return tx.Append(&sluice.AuditEntry{
		Tenant: u.Tenant, Actor: u.Tenant + "/" + u.Name, Action: action, Kind: sluice.KindUser, Object: u.Name, ObjectID: u.ID,
		RequestID: from.RequestID, IP: from.IP,
	})
}

// unaudited are fields that every write moves.
var unaudited = map[string]bool{"version": true, "created_at": true, "updated_at": true, "id": true}

// difference renders the fields that changed as {"field": [before, after]}.
func difference(before, after sluice.Object) (json.RawMessage, error) {
	b, err := auditFields(before)
	if err != nil {
		return nil, err
	}
	a, err := auditFields(after)
	if err != nil {
		return nil, err
	}
	diff := map[string][2]json.RawMessage{}
	for name := range union(b, a) {
		if unaudited[name] || bytes.Equal(b[name], a[name]) {
			continue
		}
		pair := [2]json.RawMessage{mask(name, b[name]), mask(name, a[name])}
		diff[name] = pair
	}
	return json.Marshal(diff)
}

// auditFields splits an object into its JSON fields; nil has none.
func auditFields(o sluice.Object) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if o == nil {
		return fields, nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return fields, json.Unmarshal(b, &fields)
}

func union(a, b map[string]json.RawMessage) map[string]bool {
	names := map[string]bool{}
	for n := range a {
		names[n] = true
	}
	for n := range b {
		names[n] = true
	}
	return names
}

// mask hides secrets in one field's value; null stands for an absent one.
func mask(name string, value json.RawMessage) json.RawMessage {
	if value == nil {
		return json.RawMessage("null")
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return json.RawMessage(`"` + masked + `"`)
	}
	b, err := json.Marshal(maskValue(name, v))
	if err != nil {
		return json.RawMessage(`"` + masked + `"`)
	}
	return b
}

// maskValue replaces what a secret name holds, at any depth. Numbers and flags
// are no secrets: max_output_tokens is to be read.
func maskValue(name string, v any) any {
	switch v.(type) {
	case nil, bool, json.Number:
		return v
	}
	if secretName.MatchString(name) {
		return masked
	}
	switch v := v.(type) {
	case map[string]any:
		for n := range v {
			v[n] = maskValue(n, v[n])
		}
	case []any:
		for i := range v {
			v[i] = maskValue(name, v[i])
		}
	}
	return v
}

// Audit returns audit entries, newest first.
func (s *Session) Audit(ctx context.Context, q sluice.AuditQuery) (sluice.Page[sluice.AuditEntry], error) {
	tenant, err := s.reportTenant("audit", q.Tenant)
	if err != nil {
		return sluice.Page[sluice.AuditEntry]{}, err
	}
	if !s.caller.may("audit", verbRead, false) {
		return sluice.Page[sluice.AuditEntry]{}, forbidden("your roles do not permit reading the audit log")
	}
	q.Tenant = tenant
	return s.c.db.Audit(ctx, q)
}

// Events returns what operators have to hear of, newest first. Platform callers
// only.
func (s *Session) Events(ctx context.Context, q sluice.EventQuery) (sluice.Page[sluice.Event], error) {
	if !s.caller.Platform {
		return sluice.Page[sluice.Event]{}, forbidden("only a platform admin reads events")
	}
	return s.c.db.EventPage(ctx, q)
}

// VerifyAudit walks the whole audit chain and returns how many entries it
// holds; a break is [sluice.CodeDatabase] naming the entry. Platform callers
// only.
func (s *Session) VerifyAudit(ctx context.Context) (entries uint64, err error) {
	if !s.caller.Platform {
		return 0, forbidden("only a platform admin verifies the audit log")
	}
	return s.c.db.VerifyAudit(ctx)
}
