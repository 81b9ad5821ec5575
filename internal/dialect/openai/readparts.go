package openai

import (
	"encoding/base64"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// readContent reads a content, which is a text or a list of parts. Empty texts
// are left out.
func readContent(m node) ([]form.Part, error) {
	if m.v.Kind == jsonscan.String {
		text, err := m.span()
		if text == "" {
			return nil, err
		}
		return []form.Part{{Kind: form.PartText, Text: text, Field: m.at()}}, err
	}
	if m.v.Kind != jsonscan.Array {
		return nil, m.must("a string or an array")
	}
	if jsonscan.Empty(m.doc, m.v) {
		return nil, m.bad("must not be empty")
	}
	var parts []form.Part
	err := m.elements(func(e node) error {
		e = e.located()
		part, err := readPart(e)
		if err != nil || part.Kind == form.PartText && part.Text == "" {
			return err
		}
		part.Field = e.at()
		parts = append(parts, part)
		return nil
	})
	return parts, err
}

// readPart reads one part of a content.
func readPart(m node) (form.Part, error) {
	if err := m.object(); err != nil {
		return form.Part{}, err
	}
	kind, err := m.find("type").span()
	if err != nil {
		return form.Part{}, err
	}
	part, err := partOf(m, kind)
	if err != nil {
		return form.Part{}, err
	}
	part.Cache, err = readCache(m.find("cache_control"))
	return part, err
}

func partOf(m node, kind string) (form.Part, error) {
	switch kind {
	case "text":
		text, err := m.find("text").span()
		return form.Part{Kind: form.PartText, Text: text}, err
	case "refusal":
		text, err := m.find("refusal").text()
		return form.Part{Kind: form.PartRefusal, Text: text}, err
	case "image_url":
		media, err := readAddressed(m.find("image_url"))
		return form.Part{Kind: form.PartImage, Media: media}, err
	case "video_url":
		media, err := readAddressed(m.find("video_url"))
		return form.Part{Kind: form.PartVideo, Media: media}, err
	case "input_audio":
		media, err := readAudio(m.find("input_audio"))
		return form.Part{Kind: form.PartAudio, Media: media}, err
	case "file":
		media, err := readFile(m.find("file"))
		return form.Part{Kind: form.PartFile, Media: media}, err
	}
	return form.Part{}, m.find("type").bad("must be text, image_url, input_audio, file, video_url or refusal")
}

// readAddressed reads {"url":...,"detail":...}, or the bare URL that some
// clients send.
func readAddressed(m node) (*form.Media, error) {
	if m.v.Kind == jsonscan.String {
		return readURL(m)
	}
	if err := m.object(); err != nil {
		return nil, err
	}
	media, err := readURL(m.find("url"))
	if err != nil {
		return nil, err
	}
	media.Detail, err = m.find("detail").optional()
	return media, err
}

// readURL reads an address, or the data that stands in its place (RFC 2397).
func readURL(m node) (*form.Media, error) {
	url, ok := jsonscan.Span(m.doc, m.v)
	if !ok {
		return nil, m.must("a string")
	}
	scheme, _, _ := strings.Cut(url, ":")
	switch strings.ToLower(scheme) {
	case "data":
		return readDataURL(m, url)
	case "http", "https", "gs":
		return &form.Media{URL: url}, nil
	}
	return nil, m.bad("must be a URL of http or https, or a data URL")
}

// readDataURL reads data:TYPE;base64,DATA.
func readDataURL(m node, url string) (*form.Media, error) {
	head, data, ok := strings.Cut(url[len("data:"):], ",")
	kind, coded := strings.CutSuffix(head, ";base64")
	if !ok || !coded {
		return nil, m.bad("must be a data URL in base64")
	}
	kind, _, _ = strings.Cut(kind, ";")
	if !isBase64(data) {
		return nil, m.bad("holds what is not base64")
	}
	return &form.Media{Type: strings.ToLower(kind), Data: data}, nil
}

// isBase64 reports whether text is standard base64 with its padding, without
// decoding it into memory.
func isBase64(text string) bool {
	if len(text) == 0 || len(text)%4 != 0 {
		return false
	}
	body := strings.TrimRight(text, "=")
	if len(text)-len(body) > 2 {
		return false
	}
	// Several at a time: pictures are megabytes of them.
	strange := false
	for ; len(body) >= 8; body = body[8:] {
		strange = strange || notBase64[body[0]]|notBase64[body[1]]|notBase64[body[2]]|notBase64[body[3]]|
			notBase64[body[4]]|notBase64[body[5]]|notBase64[body[6]]|notBase64[body[7]] != 0
	}
	for i := range len(body) {
		strange = strange || notBase64[body[i]] != 0
	}
	return !strange
}

// notBase64 is 1 for every byte but the letters of base64 (RFC 4648, section 4).
var notBase64 = others("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

func others(than string) (set [256]byte) {
	for i := range set {
		if strings.IndexByte(than, byte(i)) < 0 {
			set[i] = 1
		}
	}
	return set
}

// readAudio reads {"data":...,"format":"wav"}.
func readAudio(m node) (*form.Media, error) {
	if err := m.object(); err != nil {
		return nil, err
	}
	data, err := m.find("data").span()
	if err != nil {
		return nil, err
	}
	if !isBase64(data) {
		return nil, m.find("data").bad("holds what is not base64")
	}
	format, err := m.find("format").text()
	if err != nil {
		return nil, err
	}
	return &form.Media{Type: audioType(format), Data: data}, nil
}

// audioType is the media type of an audio format.
func audioType(format string) string {
	if format == "mp3" {
		return "audio/mpeg"
	}
	return "audio/" + format
}

// audioFormat is the inverse of audioType.
func audioFormat(mediaType string) string {
	format := strings.TrimPrefix(strings.TrimPrefix(mediaType, "audio/"), "x-")
	if format == "mpeg" {
		return "mp3"
	}
	return format
}

// readFile reads {"file_data":...,"filename":...} or {"file_id":...}.
func readFile(m node) (*form.Media, error) {
	if err := m.object(); err != nil {
		return nil, err
	}
	media := &form.Media{}
	data := m.find("file_data")
	var err error
	if data.given() {
		if media, err = readFileData(data); err != nil {
			return nil, err
		}
	}
	if media.FileID, err = m.find("file_id").optional(); err != nil {
		return nil, err
	}
	if media.Name, err = m.find("filename").optional(); err != nil {
		return nil, err
	}
	if media.Data == "" && media.FileID == "" && media.URL == "" {
		return nil, data.bad("is required")
	}
	if media.Type == "" && strings.HasSuffix(strings.ToLower(media.Name), ".pdf") {
		media.Type = "application/pdf"
	}
	return readable(media), nil
}

// readFileData reads a data URL, an address (OpenRouter), or bare base64.
func readFileData(m node) (*form.Media, error) {
	text, err := m.text()
	if err != nil {
		return nil, err
	}
	if strings.Contains(text, ":") {
		return readURL(m)
	}
	if !isBase64(text) {
		return nil, m.bad("holds what is not base64")
	}
	return &form.Media{Data: text}, nil
}

// readable gives a document of text as text, which every protocol can carry.
func readable(media *form.Media) *form.Media {
	if !strings.HasPrefix(media.Type, "text/") || media.Data == "" {
		return media
	}
	text, err := base64.StdEncoding.DecodeString(media.Data)
	if err == nil {
		media.Plain, media.Data = string(text), ""
	}
	return media
}
