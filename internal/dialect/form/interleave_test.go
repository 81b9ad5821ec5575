package form_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// stream is one part as a provider sends it: in pieces, that stay in order.
type stream struct {
	call   bool
	key    string
	pieces []string
}

// Whichever way a provider interleaves the pieces of calls, and of the text
// that precedes them, every part comes out whole, in one piece, and numbered
// without gaps.
func TestAnyInterleavingGivesTheSameParts(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		streams := someStreams(random)
		c := &checker{t: t, seed: seed}
		em := form.NewEmitter("r", c.take)
		if err := em.Text(0, "before"); err != nil {
			t.Fatal(err)
		}
		play(t, random, em, streams)
		if err := em.Finish(0, form.StopCalls, ""); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		c.check(streams)
	}
}

// someStreams makes up to six calls, cut at random.
func someStreams(random *rand.Rand) []stream {
	list := make([]stream, 1+random.IntN(6))
	for i := range list {
		text := fmt.Sprintf(`{"n":%d,"s":"a}\"{[%d","l":[1,{"x":{}}]}`, i, random.IntN(1000))
		if random.IntN(5) == 0 {
			text = ""
		}
		list[i] = stream{call: true, key: fmt.Sprint(i)}
		for len(text) > 0 {
			n := 1 + random.IntN(len(text))
			list[i].pieces = append(list[i].pieces, text[:n])
			text = text[n:]
		}
	}
	return list
}

// play sends the pieces: the calls begin in order, the pieces of all that have
// begun come in any order.
func play(t *testing.T, random *rand.Rand, em *form.Emitter, streams []stream) {
	t.Helper()
	begun, next := 0, make([]int, len(streams))
	for {
		var ready []int
		for i := range begun {
			if next[i] < len(streams[i].pieces) {
				ready = append(ready, i)
			}
		}
		if begun < len(streams) && (len(ready) == 0 || random.IntN(2) == 0) {
			call := form.Call{ID: "id" + streams[begun].key, Name: "f"}
			if err := em.Call(0, streams[begun].key, call, "", form.Signature{}); err != nil {
				t.Fatal(err)
			}
			begun++
			continue
		}
		if len(ready) == 0 {
			return
		}
		i := ready[random.IntN(len(ready))]
		if err := em.Call(0, streams[i].key, form.Call{}, streams[i].pieces[next[i]], form.Signature{}); err != nil {
			t.Fatal(err)
		}
		next[i]++
	}
}

// checker refuses parts that overlap or are numbered wrongly.
type checker struct {
	t     *testing.T
	seed  uint64
	open  bool
	next  int
	ids   []string
	texts []string
}

func (c *checker) take(ev *form.Event) error {
	switch ev.Kind {
	case form.EventPartStart:
		if c.open || ev.Index != c.next {
			c.t.Fatalf("seed %d: part %d begins where %d belongs, open %v", c.seed, ev.Index, c.next, c.open)
		}
		c.open = true
		id := ""
		if ev.Part.Call != nil {
			id = ev.Part.Call.ID
		}
		c.ids, c.texts = append(c.ids, id), append(c.texts, "")
	case form.EventDelta:
		if !c.open || ev.Index != c.next {
			c.t.Fatalf("seed %d: a piece of part %d comes while %d is open", c.seed, ev.Index, c.next)
		}
		c.texts[len(c.texts)-1] += ev.Text
	case form.EventPartStop:
		c.open = false
		c.next++
	}
	return nil
}

func (c *checker) check(streams []stream) {
	if c.open || len(c.ids) != len(streams)+1 || c.texts[0] != "before" {
		c.t.Fatalf("seed %d: %q", c.seed, c.texts)
	}
	for i, s := range streams {
		if c.ids[i+1] != "id"+s.key || c.texts[i+1] != strings.Join(s.pieces, "") {
			c.t.Errorf("seed %d: call %d is %s %q", c.seed, i, c.ids[i+1], c.texts[i+1])
		}
	}
}
