package plugintest

import (
	"net/netip"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// Start is the time at which fake exchanges begin and at which their clock
// stands.
var Start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Keys is a fake of the gateway's look-up: plaintext tokens and whose they are.
type Keys map[string]*sluice.Key

// ByToken implements [plugin.Keys].
func (k Keys) ByToken(token string) (plugin.Consumer, error) {
	key, ok := k[token]
	if !ok {
		return plugin.Consumer{}, sluice.Errorf(sluice.CodeUnauthorized, "the key is not valid")
	}
	return plugin.Consumer{Tenant: &sluice.Tenant{Meta: sluice.Meta{Name: key.Tenant}}, Key: key}, nil
}

// Request returns an exchange for a request to gateway.test from 203.0.113.9,
// on a plain route of the platform, without a body and without keys; change
// what the test is about. fields alternate names and values.
func Request(method, target string, fields ...string) *plugin.Exchange {
	path, query, _ := strings.Cut(target, "?")
	head := &sluice.Head{Method: method, Target: target, Path: path, RawQuery: query, Host: "gateway.test", Proto: "HTTP/1.1"}
	for i := 0; i+1 < len(fields); i += 2 {
		head.Fields.Add(fields[i], fields[i+1])
	}
	x := &plugin.Exchange{
		ID:       "0190a5b2-0000-7000-8000-000000000001",
		Start:    Start,
		ClientIP: netip.MustParseAddr("203.0.113.9"),
		Route:    &sluice.Route{Meta: sluice.Meta{ID: 1, Name: "route", Tenant: sluice.PlatformTenant}, Surface: sluice.SurfaceHTTP},
		Request:  head,
		Original: plugin.Original{Method: method, Target: target, Host: head.Host},
		Keys:     Keys{},
		Now:      func() time.Time { return Start },
		ReadBody: func() ([]byte, error) { return nil, nil },
	}
	x.Original.Fields.AppendAll(&head.Fields)
	return x
}

// Consumer returns a key of the platform tenant, as a snapshot holds it.
func Consumer(id uint64, name string) *sluice.Key {
	k := &sluice.Key{Meta: sluice.Meta{ID: id, Name: name, Tenant: sluice.PlatformTenant}, User: "user"}
	k.Normalize()
	return k
}
