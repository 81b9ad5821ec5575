package anthropic

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// block is one content block of a request. Its type says which of its members
// count. Texts and media are not copied before the body is written.
type block struct {
	kind blockKind
	// text is that of a text, of a thought, or the data of one that is sealed.
	text string
	// signature proves a thought.
	signature string
	// id is that of a call, or of the call that a result answers.
	id string
	// name is the tool of a call or the title of a document.
	name string
	// input is what a tool is called with.
	input json.RawMessage
	// source is where an image or a document comes from.
	source source
	// content is what a tool answered, failed that it is an error.
	content []block
	failed  bool
	cache   form.Cache
	// raw is the whole of a block of the client's own, without its cache mark.
	raw json.RawMessage
}

// blockKind is the type of a block on the wire.
type blockKind string

const (
	blockText     blockKind = "text"
	blockThinking blockKind = "thinking"
	blockSealed   blockKind = "redacted_thinking"
	blockCall     blockKind = "tool_use"
	blockResult   blockKind = "tool_result"
	blockImage    blockKind = "image"
	blockDocument blockKind = "document"
	blockRaw      blockKind = "" // the client's own
)

// source is what an image or a document is: data of a type, or an address.
type source struct{ kind, mediaType, data, url string }

func textBlock(text string, cache form.Cache) block {
	return block{kind: blockText, text: text, cache: cache}
}

// rawBlock is a block as the client wrote it.
func rawBlock(raw json.RawMessage) (block, bool) {
	root := jsonscan.At(raw, 0)
	if root.Kind != jsonscan.Object {
		return block{}, false
	}
	b := block{raw: []byte{'{'}}
	for m := root.Members(raw); m.Next(); {
		if string(m.Key()) == "cache_control" {
			b.cache = cacheOf(raw, m.Value())
			continue
		}
		b.raw = append(addMember(b.raw, string(m.Key())), m.Value().In(raw)...)
	}
	b.raw = append(b.raw, '}')
	return b, true
}

// cacheOf reads a cache mark that nobody has checked.
func cacheOf(doc []byte, v jsonscan.Value) form.Cache {
	switch {
	case v.Kind != jsonscan.Object:
		return form.CacheNone
	case jsonscan.Is(doc, jsonscan.Find(doc, v, "ttl"), "1h"):
		return form.Cache1h
	}
	return form.Cache5m
}

// append writes the block.
func (b *block) append(to []byte) []byte {
	to = appendMark(append(to, '{'), b.cache)
	switch b.kind {
	case blockText:
		to = jsonscan.AppendText(addMember(to, "text"), b.text)
	case blockThinking:
		to = jsonscan.AppendText(addMember(to, "signature"), b.signature)
		to = jsonscan.AppendText(addMember(to, "thinking"), b.text)
	case blockSealed:
		to = jsonscan.AppendText(addMember(to, "data"), b.text)
	case blockCall:
		to = jsonscan.AppendText(addMember(to, "id"), b.id)
		to = append(addMember(to, "input"), b.input...)
		to = jsonscan.AppendText(addMember(to, "name"), b.name)
	case blockResult:
		to = b.appendResult(to)
	case blockImage, blockDocument:
		to = b.source.append(addMember(to, "source"))
		if b.name != "" {
			to = jsonscan.AppendText(addMember(to, "title"), b.name)
		}
	case blockRaw:
		return b.appendRaw(to)
	}
	return append(jsonscan.AppendText(addMember(to, "type"), string(b.kind)), '}')
}

func (b *block) appendResult(to []byte) []byte {
	if len(b.content) > 0 {
		to = appendBlocks(addMember(to, "content"), b.content)
	}
	if b.failed {
		to = append(addMember(to, "is_error"), "true"...)
	}
	return jsonscan.AppendText(addMember(to, "tool_use_id"), b.id)
}

// appendRaw writes the members of the client's own block into the one that to
// ends with.
func (b *block) appendRaw(to []byte) []byte {
	if to[len(to)-1] != '{' && len(b.raw) > len("{}") {
		to = append(to, ',')
	}
	return append(to, b.raw[1:]...)
}

func (s *source) append(to []byte) []byte {
	to = append(to, '{')
	if s.url == "" {
		to = jsonscan.AppendText(addMember(to, "data"), s.data)
		to = jsonscan.AppendText(addMember(to, "media_type"), s.mediaType)
	}
	to = jsonscan.AppendText(addMember(to, "type"), s.kind)
	if s.url != "" {
		to = jsonscan.AppendText(addMember(to, "url"), s.url)
	}
	return append(to, '}')
}

// appendBlocks writes a list of blocks.
func appendBlocks(to []byte, blocks []block) []byte {
	to = append(to, '[')
	for i := range blocks {
		if i > 0 {
			to = append(to, ',')
		}
		to = blocks[i].append(to)
	}
	return append(to, ']')
}

// appendMark writes a cache mark, if there is one.
func appendMark(to []byte, c form.Cache) []byte {
	switch c {
	case form.Cache5m:
		return append(addMember(to, "cache_control"), `{"type":"ephemeral"}`...)
	case form.Cache1h:
		return append(addMember(to, "cache_control"), `{"ttl":"1h","type":"ephemeral"}`...)
	}
	return to
}

// addMember begins a member of the object that to ends with.
func addMember(to []byte, name string) []byte {
	if to[len(to)-1] != '{' {
		to = append(to, ',')
	}
	return append(jsonscan.AppendText(to, name), ':')
}

// blockOverhead is more than what most blocks take besides their texts.
const blockOverhead = 96

// size is about as long as the block is written.
func (b *block) size() int {
	n := blockOverhead + len(b.text) + len(b.signature) + len(b.input) + len(b.source.data) + len(b.source.url) + len(b.raw)
	return n + sizeOf(b.content)
}

func sizeOf(blocks []block) (n int) {
	for i := range blocks {
		n += blocks[i].size()
	}
	return n
}
