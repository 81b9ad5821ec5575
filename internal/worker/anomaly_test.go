package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/worker"
)

// shaky is a store that fails before it takes anything.
type shaky struct {
	ledger.Store
	failing bool
}

func (s *shaky) Commit(context.Context, ledger.Batch) error {
	if s.failing {
		return errors.New("away")
	}
	return nil
}

// TestAnomaliesAreTold keeps what must not happen from passing unheard, and from
// being told before it is kept or more than once.
func TestAnomaliesAreTold(t *testing.T) {
	to := &shaky{failing: true}
	var told []ledger.Anomaly
	book := ledger.NewBook(ledger.Config{})
	poster := ledger.NewPoster(book, worker.TellAnomalies(to, func(a ledger.Anomaly) { told = append(told, a) }), time.Now)
	facts := []ledger.Fact{{Seq: 7, Lost: true}}
	if _, err := poster.Receive(t.Context(), "j", 0, facts); err == nil || len(told) != 0 {
		t.Fatalf("%v; told %+v", err, told)
	}
	to.failing = false
	for range 2 {
		if _, err := poster.Receive(t.Context(), "j", 0, facts); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || told[0].Journal != "j" || told[0].Seq != 7 {
		t.Errorf("told %+v", told)
	}
}
