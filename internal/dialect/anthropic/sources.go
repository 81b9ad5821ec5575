package anthropic

import (
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

func readImage(parts []form.Part, n node, o object) ([]form.Part, error) {
	source := o.get(n, "source")
	media, err := readSource(source)
	if err != nil {
		return nil, err
	}
	if media == nil || media.Plain != "" {
		return nil, source.invalid("must be base64, url or file for an image")
	}
	return append(parts, form.Part{Kind: form.PartImage, Media: media, Field: n.field}), nil
}

// readDocument reads a document with its title; what the client said about it
// stands before it as text.
func readDocument(parts []form.Part, n node, o object) ([]form.Part, error) {
	context, err := o.get(n, "context").optional()
	if err != nil {
		return nil, err
	}
	if context != "" {
		parts = append(parts, form.Part{Kind: form.PartText, Text: context, Field: n.field + "/context"})
	}
	source := o.get(n, "source")
	media, err := readSource(source)
	if err != nil {
		return nil, err
	}
	if media == nil {
		return readInner(parts, source)
	}
	media.Name, err = o.get(n, "title").optional()
	return append(parts, form.Part{Kind: form.PartFile, Media: media, Field: n.field}), err
}

// readInner reads a document that consists of blocks.
func readInner(parts []form.Part, source node) ([]form.Part, error) {
	o, err := source.object()
	if err != nil {
		return nil, err
	}
	inner, err := readResultContent(o.get(source, "content"))
	return append(parts, inner...), err
}

// readSource reads where the content of an image or document is; nil when it
// consists of blocks.
func readSource(n node) (*form.Media, error) {
	o, err := n.object()
	if err != nil {
		return nil, err
	}
	kind, err := o.get(n, "type").text()
	if err != nil {
		return nil, err
	}
	m := &form.Media{}
	switch kind {
	case "base64":
		return m, readData(m, n, o)
	case "url":
		m.URL, err = o.get(n, "url").filled()
	case "file":
		m.FileID, err = o.get(n, "file_id").filled()
	case "text":
		m.Type = "text/plain"
		m.Plain, err = o.get(n, "data").filled()
	case "content":
		return nil, nil
	default:
		err = o.get(n, "type").invalid("%q is not base64, url, file, text or content", clip(kind))
	}
	return m, err
}

func readData(m *form.Media, n node, o object) (err error) {
	if m.Type, err = o.get(n, "media_type").filled(); err != nil {
		return err
	}
	data := o.get(n, "data")
	if m.Data, err = data.filled(); err != nil {
		return err
	}
	if !isBase64(m.Data) {
		return data.invalid("must be standard base64 with padding")
	}
	return nil
}

// isBase64 reports whether s is standard base64 (RFC 4648, section 4), without
// decoding it: pictures are large.
func isBase64(s string) bool {
	if len(s)%4 != 0 {
		return false
	}
	body := strings.TrimRight(s, "=")
	if len(s)-len(body) > 2 {
		return false
	}
	for i := range len(body) {
		if c := body[i]; !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/') {
			return false
		}
	}
	return true
}

// readSearchResult reads a source that the answer may cite; for other protocols
// it is a document with its address in the first line.
func readSearchResult(parts []form.Part, n node, o object) ([]form.Part, error) {
	source, err := o.get(n, "source").filled()
	if err != nil {
		return nil, err
	}
	title, err := o.get(n, "title").filled()
	if err != nil {
		return nil, err
	}
	content := o.get(n, "content")
	if content.value.Kind != jsonscan.Array {
		return nil, content.wants("an array")
	}
	inner, err := readResultContent(content)
	if err != nil {
		return nil, err
	}
	media := &form.Media{Type: "text/plain", Name: title, Plain: source + "\n\n" + form.Text(inner, "\n")}
	return append(parts, form.Part{Kind: form.PartFile, Media: media, Field: n.field}), nil
}
