package anthropic

import (
	"encoding/base64"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// media writes an image or a document.
func media(p *form.Part) (block, error) {
	m := p.Media
	switch {
	case m == nil || p.Kind != form.PartImage && p.Kind != form.PartFile:
		return block{}, form.Refuse(p.Field, "the provider of this model does not take %s", p.Kind)
	case m.FileID != "":
		return block{}, form.Refuse(p.Field, "the file %q is stored at another provider than that of this model", clip(m.FileID))
	case m.URL != "" && !strings.HasPrefix(m.URL, "https://") && !strings.HasPrefix(m.URL, "http://"):
		return block{}, form.Refuse(p.Field, "the provider of this model fetches http and https addresses only")
	case p.Kind == form.PartImage:
		return image(p)
	}
	return document(p)
}

func image(p *form.Part) (block, error) {
	if p.Media.URL != "" {
		return block{kind: blockImage, source: urlSource(p.Media.URL)}, nil
	}
	kind := strings.ToLower(p.Media.Type)
	switch kind {
	case "image/jpg":
		kind = "image/jpeg"
	case "image/jpeg", "image/png", "image/gif", "image/webp":
	default:
		return block{}, form.Refuse(p.Field, "the provider of this model takes images of the types jpeg, png, gif and webp, not %q", clip(p.Media.Type))
	}
	return block{kind: blockImage, source: dataSource(kind, p.Media.Data)}, nil
}

func urlSource(url string) source { return source{kind: "url", url: url} }

func dataSource(kind, data string) source {
	return source{kind: "base64", mediaType: kind, data: data}
}

// document writes a PDF or a text with its title.
func document(p *form.Part) (block, error) {
	source, err := documentSource(p)
	return block{kind: blockDocument, source: source, name: p.Media.Name}, err
}

func documentSource(p *form.Part) (source, error) {
	m := p.Media
	kind, _, _ := strings.Cut(strings.ToLower(m.Type), ";")
	switch {
	case m.Plain != "":
		return plainSource(m.Plain), nil
	case m.URL != "":
		return urlSource(m.URL), nil
	case kind == "application/pdf", kind == "" && strings.HasPrefix(m.Data, "JVBERi"): // "%PDF"
		return dataSource("application/pdf", m.Data), nil
	case strings.HasPrefix(kind, "text/"), kind == "application/json":
		text, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			return source{}, form.Refuse(p.Field, "the document is not standard base64")
		}
		return plainSource(strings.ToValidUTF8(string(text), "\uFFFD")), nil
	}
	return source{}, form.Refuse(p.Field, "the provider of this model takes documents of the types pdf and text, not %q", clip(m.Type))
}

func plainSource(text string) source {
	return source{kind: "text", mediaType: "text/plain", data: text}
}
