package control_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sluicegate/sluice"
)

// Lost if it fails: what one control process decides by, when a second one
// writes at the same moment: unique names, references, the chain of the audit
// log, the snapshot that each of them builds.
func TestTwoControlPlanesOnOneDatabase(t *testing.T) {
	a := fresh(t)
	b := open(t, a.at)
	ctx := t.Context()
	var wg sync.WaitGroup
	for round := range 8 {
		group := fmt.Sprintf("g%d", round)
		_, err := a.system().Groups().Create(ctx, sluice.Group{Meta: named("", group)}, sluice.WriteOptions{})
		must(t, err)
		errs := make([]error, 4)
		race := func(i int, write func() error) { wg.Go(func() { errs[i] = write() }) }
		for i, p := range []*plane{a, b} {
			race(i, func() error {
				_, err := p.system().Models().Create(ctx, sluice.Model{Meta: named("", fmt.Sprintf("m%d", round))}, sluice.WriteOptions{})
				return err
			})
		}
		race(2, func() error { return a.system().Groups().Delete(ctx, "", group, sluice.WriteOptions{}) })
		race(3, func() error {
			_, err := b.system().Providers().Create(ctx, sluice.Provider{Meta: named("", fmt.Sprintf("p%d", round)), Type: "openai", Group: group,
				BaseURL: "https://api.example.com/v1"}, sluice.WriteOptions{})
			return err
		})
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("round %d: both or none made the model: %v, %v", round, errs[0], errs[1])
		}
		if (errs[2] == nil) == (errs[3] == nil) {
			t.Errorf("round %d: a group went while it was referred to, or stayed for nobody: %v, %v", round, errs[2], errs[3])
		}
	}
	if _, err := a.db.VerifyAudit(ctx); err != nil {
		t.Error(err)
	}
	one, err := a.Snapshot(ctx)
	must(t, err)
	two, err := b.Snapshot(ctx)
	must(t, err)
	x, err := one.Encode()
	must(t, err)
	y, err := two.Encode()
	must(t, err)
	if string(x) != string(y) || len(one.Models) != 8 {
		t.Errorf("the planes see\n%s\nand\n%s", x, y)
	}
}
