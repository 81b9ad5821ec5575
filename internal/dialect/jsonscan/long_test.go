package jsonscan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Long strings are searched in windows and words: a byte that ends or breaks one
// must be seen wherever it falls, or a gateway and the target behind it read
// different requests.
func TestLongStringsAreReadLikeShortOnes(t *testing.T) {
	fillings := []string{strings.Repeat("plain text ", 140), strings.Repeat("汉字é", 180)}
	for _, filling := range fillings {
		doc := []byte(`{"model":"m","text":"` + filling + `","n":1}`)
		start := strings.IndexByte(string(doc), 't') + len(`text":"`)
		for at := start; at < start+len(filling); at++ {
			for _, c := range []byte{0, 1, '\n', 0x1f, ' ', '"', '\\', 0x7f, 0x80, 0xa0, 0xff} {
				old := doc[at]
				doc[at] = c
				members := jsonscan.Document(doc)
				for members.Next() {
				}
				if got, want := members.Err() == nil, json.Valid(doc); got != want {
					t.Fatalf("byte %#x at %d: accepted %v, encoding/json %v", c, at-start, got, want)
				}
				doc[at] = old
			}
		}
	}
}

// Text with an escape on each line must cost what its length costs.
func BenchmarkEscapedText(b *testing.B) {
	doc := []byte(`{"text":"` + strings.Repeat(`a line of some seventy characters, as there are many in source code.\n`, 3000) + `"}`)
	b.SetBytes(int64(len(doc)))
	for range b.N {
		members := jsonscan.Document(doc)
		for members.Next() {
		}
		if members.Err() != nil {
			b.Fatal(members.Err())
		}
	}
}
