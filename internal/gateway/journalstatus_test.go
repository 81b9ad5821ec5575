package gateway_test

import (
	"testing"

	"github.com/sluicegate/sluice"
)

// Without it nobody sees that charges pile up on a gateway, or that its disk has
// failed, before clients are refused.
func TestStatusShowsTheJournal(t *testing.T) { onEveryTransport(t, testStatusShowsTheJournal) }

func testStatusShowsTheJournal(t *testing.T, over transport) {
	m := newMoney(t, over, setting{})
	m.topUp(acme, usd(1_000_000))
	status := func() sluice.JournalStatus { return *m.g.Status().Journal }
	all := func() bool {
		s := status()
		return s.Last != "0:0" && s.Last == s.Synced && s.Synced == s.Shipped && s.WaitingMS == 0 && s.Bytes > 0 && s.Failing == ""
	}
	if a := m.chat(""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	m.eventually("all is said to be booked", all)
	booked := status().Shipped
	m.road.close(true)
	if a := m.chat(""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	m.eventually("an entry is said to wait", func() bool { s := status(); return s.WaitingMS > 0 && s.Synced == s.Last && s.Last != booked })
	if s := status(); s.Shipped != booked {
		t.Errorf("the books are away, and are said to have more: %+v, before up to %s", s, booked)
	}
	m.disk.fail(errEIO)
	m.eventually("the disk is said to fail", func() bool { _ = m.chat(""); return status().Failing != "" })
	m.disk.fail(nil)
	m.road.close(false)
	m.eventually("all is said to be booked again", all)
}
