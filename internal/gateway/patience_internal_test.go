package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

// A request would be refused because of the waits of others before it, or wait
// for longer than it may.
func TestPatienceIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatience(time.Second)
		for range 3 {
			first := p.context()
			time.Sleep(time.Second / 10)
			if p.context() != first {
				t.Error("waits that begin together do not share")
			}
			time.Sleep(time.Second / 2)
			began := time.Now()
			<-p.context().Done()
			if took := time.Since(began); took != time.Second {
				t.Errorf("a wait took %v", took)
			}
		}
	})
}
