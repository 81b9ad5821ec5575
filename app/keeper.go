package app

import (
	"net"
	"os"
	"strings"
	"time"

	"github.com/sluicegate/sluice/internal/link"
)

// openKeeper prepares the way to the process that keeps the ledger. There is no
// other one on SQLite, and none that can be trusted without a plane token.
func (c *controlRole) openKeeper() (err error) {
	if c.PostgresDSN == "" || c.PlaneToken == "" {
		return nil
	}
	c.keeper, err = link.NewKeeper(link.KeeperConfig{
		Here: c.books.Owns, Find: c.store.LedgerAddress,
		Self: c.advertised(), PlaneToken: c.PlaneToken, Now: time.Now,
	})
	return err
}

// advertised is where other processes reach the control listener of this one,
// empty when it would not take what they pass on.
func (h *host) advertised() string {
	switch {
	case h.PostgresDSN == "" || h.PlaneToken == "":
		return ""
	case h.AdvertiseURL != "":
		return strings.TrimRight(h.AdvertiseURL, "/")
	}
	host, port, err := net.SplitHostPort(h.listeners["control"].Addr().String())
	if err != nil {
		return ""
	}
	if everyAddress(host) {
		if host, err = os.Hostname(); err != nil {
			return ""
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}
