package netguard_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/sluicegate/sluice/internal/netguard"
)

// An address that slips through hands the cloud's credentials, or the operator's
// own network, to whoever may write a URL (T-CVE 1, 8).
func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		addr             string
		platform, tenant bool
	}{
		{"93.184.215.14:443", true, true},
		{"93.184.215.14:80", true, true},
		{"93.184.215.14:8443", true, true},
		{"93.184.215.14:22", true, false},
		{"[2606:2800:21f::1]:443", true, true},
		{"127.0.0.1:8080", true, false},
		{"[::1]:8080", true, false},
		{"10.1.2.3:443", true, false},
		{"172.31.0.1:443", true, false},
		{"192.168.1.1:443", true, false},
		{"100.64.1.1:443", true, false},
		{"[fc00::1]:443", true, false},
		{"[::ffff:10.0.0.1]:443", true, false},
		{"[64:ff9b::10.0.0.1]:443", true, false},
		{"[2002:7f00:1::]:443", true, false},
		{"198.18.0.1:443", true, false},
		{"255.255.255.255:443", true, false},
		{"0.0.0.0:443", false, false},
		{"[::]:443", false, false},
		{"224.0.0.1:443", false, false},
		{"169.254.169.254:80", false, false},
		{"169.254.170.2:80", false, false},
		{"[::ffff:169.254.169.254]:80", false, false},
		{"[64:ff9b::169.254.169.254]:80", false, false},
		{"[2002:a9fe:a9fe::]:80", false, false},
		{"[fe80::1]:80", false, false},
		{"[fe80::1%eth0]:80", false, false},
		{"[fd00:ec2::254]:80", false, false},
		{"[fd20:ce::254]:80", false, false},
		{"100.100.100.200:80", false, false},
		{"168.63.129.16:80", false, false},
	} {
		a := netip.MustParseAddrPort(c.addr)
		if got := netguard.Platform.Check(a) == nil; got != c.platform {
			t.Errorf("platform %s: allowed is %v", c.addr, got)
		}
		if got := netguard.Tenant.Check(a) == nil; got != c.tenant {
			t.Errorf("tenant %s: allowed is %v", c.addr, got)
		}
	}
}

// The check must sit behind name resolution: a name is judged by where it leads.
func TestDialerRefusesByResolvedAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	tenant := net.Dialer{Control: netguard.Tenant.Control}
	if _, err := tenant.Dial("tcp4", "localhost:"+port); !errors.Is(err, netguard.ErrForbidden) {
		t.Errorf("got %v", err)
	}
	platform := net.Dialer{Control: netguard.Platform.Control}
	conn, err := platform.Dial("tcp4", "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
