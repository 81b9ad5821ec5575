package openai

import (
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// writtenPart is one part of a content.
type writtenPart struct {
	Type  string        `json:"type"`
	Text  string        `json:"text,omitempty"`
	Image *writtenURL   `json:"image_url,omitempty"`
	Video *writtenURL   `json:"video_url,omitempty"`
	Audio *writtenAudio `json:"input_audio,omitempty"`
	File  *writtenFile  `json:"file,omitempty"`
	Cache *writtenCache `json:"cache_control,omitempty"`
}

type writtenURL struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitempty"`
}

type writtenAudio struct {
	Data   string `json:"data"`
	Format string `json:"format"`
}

type writtenFile struct {
	Name string `json:"filename,omitempty"`
	Data string `json:"file_data"`
}

// content writes parts: text as one string, which every provider takes, unless
// there is more to say than that.
func (e *chatEncoder) content(parts []form.Part) (any, error) {
	written := make([]writtenPart, 0, len(parts))
	plain := true
	for i := range parts {
		w, err := e.part(&parts[i])
		if err != nil {
			return nil, err
		}
		if w.Cache, err = e.cache(parts[i].Cache, parts[i].Field); err != nil {
			return nil, err
		}
		plain = plain && w.Type == "text" && w.Cache == nil
		written = append(written, w)
	}
	if !plain {
		return written, nil
	}
	texts := make([]string, len(written))
	for i := range written {
		texts[i] = written[i].Text
	}
	return strings.Join(texts, paragraphs), nil
}

// part writes one part.
func (e *chatEncoder) part(p *form.Part) (writtenPart, error) {
	switch {
	case p.Kind == form.PartText, p.Kind == form.PartRefusal:
		return writtenPart{Type: "text", Text: p.Text}, nil
	case p.Media == nil:
		return writtenPart{}, form.Refuse(p.Field, "a part of the kind %s cannot be sent to the provider of this model", p.Kind)
	case p.Media.FileID != "":
		return writtenPart{}, form.Refuse(p.Field, "the file was uploaded to another provider")
	case strings.HasPrefix(p.Media.URL, "gs:"):
		return writtenPart{}, form.Refuse(p.Field, "the provider of this model cannot fetch addresses of gs")
	}
	switch {
	case e.quirks.inline && p.Media.URL != "":
		return writtenPart{}, form.Refuse(p.Field, "the provider of this model fetches nothing, send the data itself")
	case p.Kind == form.PartImage && e.quirks.images:
		return writtenPart{Type: "image_url", Image: &writtenURL{URL: imageURL(p.Media), Detail: p.Media.Detail}}, nil
	case p.Kind == form.PartVideo && e.quirks.video:
		return writtenPart{Type: "video_url", Video: &writtenURL{URL: imageURL(p.Media)}}, nil
	case p.Kind == form.PartAudio && e.quirks.audio && p.Media.Data != "":
		return writtenPart{Type: "input_audio", Audio: &writtenAudio{Data: p.Media.Data, Format: audioFormat(p.Media.Type)}}, nil
	case p.Kind == form.PartFile:
		return e.file(p)
	}
	return writtenPart{}, form.Refuse(p.Field, "the provider of this model takes no %s here", p.Kind)
}

// file writes a document: text as text, which every provider can read.
func (e *chatEncoder) file(p *form.Part) (writtenPart, error) {
	m := p.Media
	switch {
	case m.Plain != "":
		text := m.Plain
		if m.Name != "" {
			text = m.Name + paragraphs + text
		}
		return writtenPart{Type: "text", Text: text}, nil
	case m.Data != "" && e.quirks.files:
		kind, name := m.Type, m.Name
		if kind == "" {
			kind = "application/pdf"
		}
		if name == "" {
			name = "document.pdf"
		}
		return writtenPart{Type: "file", File: &writtenFile{Name: name, Data: "data:" + kind + ";base64," + m.Data}}, nil
	case m.URL != "" && e.quirks.addresses:
		return writtenPart{Type: "file", File: &writtenFile{Name: m.Name, Data: m.URL}}, nil
	}
	return writtenPart{}, form.Refuse(p.Field, "the provider of this model takes no documents here")
}
