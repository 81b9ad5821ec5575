package gemini

import (
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// What media cost in tokens: the most that is counted, and what is usual. The
// size of an encoded image says nothing of its tokens.
const (
	imageUpper   = 1 << 14
	imageUsual   = 1 << 10
	mediaUpper   = 20 // bytes of encoded audio, video or document for each token, at the least
	mediaUsual   = 500
	remoteUpper  = 1 << 20 // a file that the provider fetches: a whole context
	remoteUsual  = 1 << 12
	bytesUsual   = 4 // bytes of text for each token
	promptsUpper = 1 << 10
)

// size is what is known of an input's size without tokenising it.
type size struct {
	text, media    int64 // bytes
	images, remote int64 // pieces
}

// tokens returns an upper bound and an estimate.
func (s size) tokens() (upper, estimate int64) {
	upper = s.text + s.media/mediaUpper + s.images*imageUpper + s.remote*remoteUpper + promptsUpper
	estimate = s.text/bytesUsual + s.media/mediaUsual + s.images*imageUsual + s.remote*remoteUsual + 1
	return upper, estimate
}

// readContents checks that there is a conversation, and measures it.
func (r *reading) readContents(found map[string]jsonscan.Value) error {
	body := r.ask.Body
	v := found["contents"]
	if v.Kind == jsonscan.Object {
		return r.readParts(v, -1)
	}
	if v.Kind != jsonscan.Array {
		return form.Refuse(r.inside+"/contents", "contents must be an array")
	}
	if jsonscan.Empty(body, v) {
		return form.Refuse(r.inside+"/contents", "contents must not be empty")
	}
	i := 0
	for e := v.Elements(body); e.Next(); i++ {
		if err := r.readParts(e.Value(), i); err != nil {
			return err
		}
	}
	return nil
}

// readParts looks for parts of a content that are not text; at is its place, -1
// where it stands alone.
func (r *reading) readParts(content jsonscan.Value, at int) error {
	body := r.ask.Body
	parts := jsonscan.Find(body, content, "parts")
	if parts.Kind == jsonscan.Object {
		return r.readPart(parts, at, -1)
	}
	i := 0
	for part := parts.Elements(body); part.Next(); i++ {
		if err := r.readPart(part.Value(), at, i); err != nil {
			return err
		}
	}
	return nil
}

// place is where a part stands in the body.
func (r *reading) place(content, part int) string {
	field := r.inside + "/contents"
	if content >= 0 {
		field += "/" + strconv.Itoa(content)
	}
	field += "/parts"
	if part >= 0 {
		field += "/" + strconv.Itoa(part)
	}
	return field
}

// readPart takes one part's size out of the text.
func (r *reading) readPart(part jsonscan.Value, content, index int) error {
	body := r.ask.Body
	for m := part.Members(body); m.Next(); {
		switch v := m.Value(); camel(string(m.Key())) {
		case "functionResponse":
			shown := jsonscan.Find(body, v, "parts")
			for e := shown.Elements(body); e.Next(); {
				if err := r.readPart(e.Value(), content, index); err != nil {
					return err
				}
			}
		case "inlineData":
			n := int64(v.End - v.Start)
			r.size.text -= n
			if r.pictures(v) {
				r.size.images++
				continue
			}
			r.size.media += n
		case "fileData":
			if r.pictures(v) {
				r.size.images++
			} else {
				r.size.remote++
			}
			for inner := v.Members(body); inner.Next(); {
				uri, _ := jsonscan.Text(body, inner.Value())
				if camel(string(inner.Key())) != "fileUri" {
					continue
				}
				if err := refuseStoredFile(uri, r.place(content, index)+"/fileData/fileUri"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pictures reports whether a blob is an image, and notes what of a model media
// need.
func (r *reading) pictures(blob jsonscan.Value) bool {
	body := r.ask.Body
	for m := blob.Members(body); m.Next(); {
		if camel(string(m.Key())) != "mimeType" {
			continue
		}
		kind, _ := jsonscan.Text(body, m.Value())
		kind = strings.ToLower(kind)
		image, audio := strings.HasPrefix(kind, "image/"), strings.HasPrefix(kind, "audio/")
		r.ask.NeedsVision = r.ask.NeedsVision || image
		r.ask.NeedsAudio = r.ask.NeedsAudio || audio
		r.ask.NeedsFiles = r.ask.NeedsFiles || strings.HasPrefix(kind, "application/")
		return image
	}
	return false
}
