package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/netguard"
	"github.com/sluicegate/sluice/internal/route"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/plugin"
)

var noTime time.Time

// check normalizes and validates the new state of an object, references aside,
// and seals its secrets.
func (c *Control) check(before, after sluice.Object, in input) error {
	after.Normalize()
	if err := after.Validate(); err != nil {
		return err
	}
	if err := checkLimits(in.object); err != nil {
		return err
	}
	switch o := after.(type) {
	case *sluice.User:
		o.Password = in.passwordHash
		return checkRoles(o)
	case *sluice.Key:
		return c.checkPlugins(o.Plugins)
	case *sluice.Group:
		return c.checkPlugins(o.Plugins)
	case *sluice.Route:
		if c.cfg.Dialects != nil && o.Surface != sluice.SurfaceHTTP && !c.cfg.Dialects.KnownSurface(o.Surface) {
			return sluice.Errorf(sluice.CodeInvalidRequest, "surface %q is unknown", o.Surface).At("/surface")
		}
		if _, err := route.Condition(o, plugin.KnownRequestVar); err != nil {
			return err
		}
		return c.checkPlugins(o.Plugins)
	case *sluice.Upstream:
		return checkNodes(o)
	case *sluice.Provider:
		b, _ := before.(*sluice.Provider)
		return c.checkProvider(b, o)
	}
	return nil
}

// checkRoles keeps the role that crosses tenants within the platform's own.
func checkRoles(u *sluice.User) error {
	if u.Tenant != sluice.PlatformTenant && slices.Contains(u.Roles, sluice.RolePlatformAdmin) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "only users of the tenant %s can be platform admins", sluice.PlatformTenant).At("/roles")
	}
	return nil
}

// checkPlugins validates plugin configurations in the order of their names, so
// that equal input gives equal errors.
func (c *Control) checkPlugins(configs map[string]json.RawMessage) error {
	if c.cfg.Plugins == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		err := c.cfg.Plugins.ValidatePlugin(name, configs[name])
		var e *sluice.Error
		if errors.As(err, &e) {
			return e.At("/plugins/" + name + e.Field)
		}
		if err != nil {
			return fmt.Errorf("validate plugin %s: %w", name, err)
		}
	}
	return nil
}

func (c *Control) checkProvider(before, p *sluice.Provider) error {
	if c.cfg.Dialects != nil {
		if err := c.cfg.Dialects.CheckProvider(p); err != nil {
			return err
		}
	}
	if p.BaseURL != "" {
		u, err := url.Parse(p.BaseURL)
		if err != nil {
			return sluice.Errorf(sluice.CodeInvalidRequest, "base_url is not a URL").At("/base_url")
		}
		if err := checkAddress(p.Tenant, u.Hostname(), u.Port(), "/base_url"); err != nil {
			return err
		}
	}
	return c.sealProvider(before, p)
}

// sealProvider replaces a plaintext credential by its sealed form. The same
// credential again keeps the stored text, so that an unchanged document stays
// unchanged.
func (c *Control) sealProvider(before, p *sluice.Provider) error {
	stored := ""
	if before != nil {
		stored = before.APIKey
	}
	if p.APIKey == "" {
		return nil
	}
	if p.APIKey == stored {
		return checkDestination(before, p)
	}
	if seal.Sealed(p.APIKey) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "api_key must be the provider's own credential, not a sealed one").At("/api_key")
	}
	place := seal.ProviderKey(p.Tenant, p.Name)
	if stored != "" {
		plain, err := c.cfg.Keyring.Open(place, stored)
		if err == nil && plain == p.APIKey {
			p.APIKey = stored
			return nil
		}
	}
	p.APIKey = c.cfg.Keyring.Seal(place, p.APIKey)
	return nil
}

// checkDestination refuses to send a credential that is kept to another server:
// whoever may change the address could otherwise read what is write-only.
func checkDestination(before, after *sluice.Provider) error {
	b, errB := url.Parse(before.BaseURL)
	a, errA := url.Parse(after.BaseURL)
	if errA != nil || errB != nil || a.Scheme != b.Scheme || !strings.EqualFold(a.Host, b.Host) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "send api_key again when base_url names another server").At("/api_key")
	}
	return nil
}

func checkNodes(u *sluice.Upstream) error {
	for i, n := range u.Nodes {
		if err := checkAddress(u.Tenant, n.Host, strconv.Itoa(n.Port), fmt.Sprintf("/nodes/%d/host", i)); err != nil {
			return err
		}
	}
	return nil
}

// checkAddress refuses what is evidently not to be dialled: metadata services
// for everybody, anything but the public internet for tenants. Names are judged
// again, by their addresses, when they are dialled.
func checkAddress(tenant, host, port, field string) error {
	policy := netguard.Tenant
	if tenant == sluice.PlatformTenant {
		policy = netguard.Platform
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	refused := sluice.Errorf(sluice.CodeInvalidRequest, "the address %q is not allowed", host).At(field)
	ip, err := netip.ParseAddr(host)
	if err != nil {
		if isInternalName(policy, host) || numericName(host) {
			return refused
		}
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		n = 443 // the scheme's own port; both are allowed
	}
	if err := policy.Check(netip.AddrPortFrom(ip, uint16(n))); err != nil {
		return refused.Because(err)
	}
	return nil
}

// isInternalName reports names that mean this machine or a metadata service
// wherever they are resolved.
func isInternalName(policy netguard.Policy, host string) bool {
	if host == "metadata" || host == "metadata.google.internal" {
		return true
	}
	return policy == netguard.Tenant && (host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".local"))
}

// numericName reports spellings that some resolvers read as an IPv4 address
// (2130706433, 0x7f.1): a name's last label is never a number
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func numericName(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil || last != "" && strings.Trim(last, "0123456789") == ""
}

// resolve finds every object that o refers to: in its own tenant first, then
// among what the platform shares with it.
func resolve(tx *store.Tx, o sluice.Object) (store.Links, error) {
	links := store.Links{SharedWith: sharedWith(o)}
	for _, ref := range o.Refs() {
		target, err := resolveRef(tx, o, ref)
		if err != nil {
			return links, err
		}
		links.Targets = append(links.Targets, store.Target{Field: ref.Field, Kind: ref.Kind, ID: target.GetMeta().ID})
	}
	return links, nil
}

func resolveRef(tx *store.Tx, o sluice.Object, ref sluice.Ref) (sluice.Object, error) {
	tenant := o.GetMeta().Tenant
	missing := sluice.Errorf(sluice.CodeInvalidRequest, "%q does not exist in %s", ref.Name, ref.Kind).At(ref.Field)
	home := tenant
	if ref.Kind == sluice.KindTenant {
		home = ref.Name
	}
	target, err := tx.ByName(ref.Kind, home, ref.Name)
	if sluice.CodeOf(err) != sluice.CodeNotFound || ref.Kind == sluice.KindTenant {
		return target, orMissing(err, missing)
	}
	// A provider that joined a shared group would receive other tenants' prompts.
	if o.Kind() == sluice.KindProvider {
		return nil, missing.With("hint", "a provider serves groups of its own tenant; create the group first")
	}
	target, err = tx.ByName(ref.Kind, sluice.PlatformTenant, ref.Name)
	if err == nil && !sharesWith(target, tenant) {
		return nil, missing
	}
	return target, orMissing(err, missing)
}

func orMissing(err error, missing *sluice.Error) error {
	if err != nil && sluice.CodeOf(err) == sluice.CodeNotFound {
		return missing
	}
	return err
}

// guardUpdate refuses updates that would leave others without what they use.
func guardUpdate(tx *store.Tx, before, after sluice.Object) error {
	switch a := after.(type) {
	case *sluice.Tenant:
		if a.Name == sluice.PlatformTenant && a.Status != sluice.StatusActive {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the platform's own tenant cannot be disabled").At("/status")
		}
	case *sluice.User:
		return guardLastAdmin(tx, before.(*sluice.User), a)
	case *sluice.Group:
		return guardSharing(tx, before.(*sluice.Group), a)
	}
	return nil
}

// guardSharing refuses to withdraw a group from tenants whose objects use it.
func guardSharing(tx *store.Tx, before, after *sluice.Group) error {
	tenants, err := tx.ReferringTenants(before)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if before.Admits(t) && !after.Admits(t) {
			return sluice.Errorf(sluice.CodeReferenced, "tenant %q still uses the group", t).At("/shared_with").With("tenant", t)
		}
	}
	return nil
}

// guardLastAdmin keeps at least one person able to administer the platform;
// without one, set-up would open again.
func guardLastAdmin(tx *store.Tx, before, after *sluice.User) error {
	if !activeAdmin(before) || after != nil && activeAdmin(after) {
		return nil
	}
	n, err := tx.PlatformAdmins()
	if err == nil && n <= 1 {
		return sluice.Errorf(sluice.CodeConflict, "this is the last active platform admin")
	}
	return err
}

func activeAdmin(u *sluice.User) bool {
	return u.Tenant == sluice.PlatformTenant && u.Status == sluice.StatusActive && slices.Contains(u.Roles, sluice.RolePlatformAdmin)
}

// guardDelete refuses to delete what others refer to, and what the installation
// cannot do without.
func guardDelete(tx *store.Tx, o sluice.Object) error {
	if o.Kind() == sluice.KindTenant && o.GetMeta().Name == sluice.PlatformTenant {
		return sluice.Errorf(sluice.CodeConflict, "the platform's own tenant cannot be deleted")
	}
	if u, ok := o.(*sluice.User); ok {
		if err := guardLastAdmin(tx, u, nil); err != nil {
			return err
		}
	}
	some, total, err := tx.Referrers(o, maxReferrers)
	if err != nil {
		return err
	}
	if total == 0 {
		return guardMoney(tx, o)
	}
	return sluice.Errorf(sluice.CodeReferenced, "%d references to it exist, the first from %s %q", total, some[0].Kind, some[0].Name).
		With("referrers", some).With("total", total)
}
