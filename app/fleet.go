package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

const (
	// ackTimeout bounds the look at Redis for a list of gateways.
	ackTimeout = 2 * time.Second
	// silentAfter is when a gateway that reports no more is called silent.
	silentAfter = time.Minute
	// healthSilent is the health of a gateway that is gone or cut off.
	healthSilent = "silent"
)

// fleet is what is known of every gateway: what it reported to this process, and
// what it acknowledged in Redis, where those of other control processes are, too.
func (c *controlRole) fleet() []sluice.GatewayStatus {
	list := c.statuses.Gateways()
	if c.publisher != nil {
		ctx, cancel := context.WithTimeout(context.Background(), ackTimeout)
		defer cancel()
		acks, err := c.publisher.Acks(ctx)
		if err != nil {
			c.log.Warn("acknowledgements of gateways cannot be read", "err", err)
		}
		list = merge(list, acks)
	}
	for i := range list {
		list[i].Health = health(list[i], time.Now())
	}
	return list
}

// merge adds acknowledgements to reports; of two accounts of one gateway the
// later one tells the revision.
func merge(reports []sluice.GatewayStatus, acks []link.Ack) []sluice.GatewayStatus {
	for _, a := range acks {
		i, known := slices.BinarySearchFunc(reports, a.Gateway, func(s sluice.GatewayStatus, name string) int { return cmp.Compare(s.Gateway, name) })
		if !known {
			reports = slices.Insert(reports, i, sluice.GatewayStatus{Gateway: a.Gateway})
		}
		r := &reports[i]
		r.Health, r.LagMS = a.Health, a.LagMS
		if r.Started.IsZero() {
			r.Started = a.Started
		}
		if a.Time.After(r.Time) {
			r.Version, r.Time, r.Revision, r.Refused, r.Reason = a.Version, a.Time, a.Revision, a.Refused, a.Reason
		}
	}
	return reports
}

// health is what a gateway says of itself, unless it stopped saying anything.
func health(s sluice.GatewayStatus, now time.Time) string {
	switch {
	case now.Sub(s.Time) > silentAfter:
		return healthSilent
	case s.Refused > 0:
		return link.HealthRefused
	}
	return cmp.Or(s.Health, link.HealthOK)
}
