package link_test

import (
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// Losing this means that somebody who writes to a shared Redis can stop a
// gateway: whatever is there is taken or refused with a code, never a panic.
func FuzzPublished(f *testing.F) {
	f.Add("7", "7", "1", "0 0000000000000000", "config:keys", "ab", `{"id":1,"name":"k"}`)
	f.Add("7", "8", "x", "1 zz", "config:meta", "global_plugins", `{"cors":{}}`)
	f.Add("", "", "99", "-1", "config:meta", "disabled_user:a/b", `{"tenant":"a"}`)
	f.Add("18446744073709551616", "1", "1", "9 9", "meta:models", "", `null`)
	f.Fuzz(func(t *testing.T, rev, manifestRev, schema, digest, hash, field, value string) {
		s, err := link.TakeForTest(rev, manifestRev, schema, digest, hash, field, value)
		switch sluice.CodeOf(err) {
		case "", sluice.CodeConfig, sluice.CodeSchemaNewer, sluice.CodeUnavailable:
		default:
			t.Errorf("refused without a reason: %v", err)
		}
		if err == nil && (s == nil || len(s.Keys) > 1) {
			t.Errorf("one field became %+v", s)
		}
	})
}
