package app

import (
	"net/http"
	"time"

	"github.com/sluicegate/sluice/internal/link"
)

// withPlanes mounts beside the API what other processes use of control: records,
// journals, holds and status of gateways, and access logs. Without a plane token there are no
// other processes.
func (c *controlRole) withPlanes(next http.Handler) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	if c.publisher != nil {
		mux.HandleFunc("POST "+syncPath, c.streamSync(next))
	}
	if c.PlaneToken == "" {
		return mux, nil
	}
	events, err := link.EventsHandler(link.NewIngest(c.store), c.PlaneToken)
	if err != nil {
		return nil, err
	}
	status, err := link.StatusHandler(c.statuses, c.PlaneToken)
	if err != nil {
		return nil, err
	}
	entries, err := link.JournalHandler(c.books, c.PlaneToken)
	if err != nil {
		return nil, err
	}
	holds, err := link.HoldsHandler(c.books.Deciding, c.PlaneToken, time.Now)
	if err != nil {
		return nil, err
	}
	mux.Handle(link.EventsPath, events)
	mux.Handle(link.JournalPath, c.keeper.Kept(entries))
	mux.Handle(link.HoldsPath, c.keeper.Kept(holds))
	mux.Handle(link.StatusPath, status)
	mux.Handle("/logs", c.logs.Handler())
	return c.keeper.Receive(mux), nil
}
