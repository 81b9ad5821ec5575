package translate_test

import (
	"strings"
	"testing"
)

// A conversation may move to another provider between two rounds of a tool, when
// the first one is down or a route changed, and the surface may be of a third
// protocol: what the first signed must not reach
// the second, which would refuse it and with it the whole conversation.
func TestConversationsMove(t *testing.T) {
	p, ups := startAll(t)
	var sc *scene
	for i := range scenes {
		if scenes[i].name == "reasoning" {
			sc = &scenes[i]
		}
	}
	for _, s := range surfaces[:4] {
		for _, from := range ups[:4] {
			for _, to := range ups[:4] {
				if from == to {
					continue
				}
				t.Run(strings.ReplaceAll(s.name()+"/"+from.name+" to "+to.name, " ", "_"), func(t *testing.T) {
					x := &exchange{T: t, plane: p, surface: s, up: from, scene: sc, stream: true}
					first, _ := x.round(nil)
					if first == nil {
						return
					}
					x.up = to
					_, heard := x.round(first)
					if heard == nil || t.Failed() {
						t.Fatal("the second provider gave no answer")
					}
					if signed := heard.signature; signed != "" && signed != "skip_thought_signature_validator" {
						t.Errorf("the second provider got the signature %q", signed)
					}
				})
			}
		}
	}
}
