package anthropic

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// What media cost in tokens: the most that a known model counts, and what is
// usual. The size of an encoded image says nothing of its tokens.
const (
	imageUpper   = 1 << 16
	imageUsual   = 1 << 10
	fileUsual    = 20
	promptsUpper = 1 << 10 // what a target's template adds around the messages
)

// size is what is known of an input's size without tokenising it: bytes of text
// and of documents, and the number of images.
type size struct{ text, files, images int64 }

// tokens returns an upper bound and an estimate.
func (s size) tokens() (upper, estimate int64) {
	upper = s.text + s.files + s.images*imageUpper + promptsUpper
	estimate = s.text/bytesUsual + s.files/fileUsual + s.images*imageUsual + 1
	return upper, estimate
}

// measure looks for blocks that are not text. Most bodies have none, which a
// search for the words that such a block needs tells quickly; an escaped type
// cannot be ruled out, so such escapes count.
func (a *asked) measure() {
	a.size.text = int64(len(a.ask.Body))
	text := a.messages.In(a.ask.Body)
	if !bytes.Contains(text, []byte(`"image"`)) && !bytes.Contains(text, []byte(`"document"`)) && !bytes.Contains(text, []byte(`\u00`)) {
		return
	}
	for message := a.messages.Elements(a.ask.Body); message.Next(); {
		a.measureBlocks(jsonscan.Find(a.ask.Body, message.Value(), "content"), true)
	}
}

// measureBlocks takes the size of media out of the text; nested ones stand in
// results of tools.
func (a *asked) measureBlocks(content jsonscan.Value, nested bool) {
	for block := content.Elements(a.ask.Body); block.Next(); {
		v := block.Value()
		kind, _ := jsonscan.Text(a.ask.Body, jsonscan.Find(a.ask.Body, v, "type"))
		n := int64(v.End - v.Start)
		switch {
		case kind == "image":
			a.ask.NeedsVision = true
			a.size.images++
			a.size.text -= n
		case kind == "document":
			a.ask.NeedsFiles = true
			a.size.files += n
			a.size.text -= n
		case kind == "tool_result" && nested:
			a.measureBlocks(jsonscan.Find(a.ask.Body, v, "content"), false)
		}
	}
}
