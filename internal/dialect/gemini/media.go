package gemini

import (
	"encoding/base64"
	"net/url"
	"path"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// media reads inlineData.
func (b *blob) media(field string) (*form.Media, error) {
	if b.MimeType == "" {
		return nil, form.Refuse(field+"/mimeType", "mimeType is required")
	}
	data, err := standardBase64(b.Data)
	if err != nil || data == "" {
		return nil, form.Refuse(field+"/data", "data must be base64 of at least one byte")
	}
	return &form.Media{Type: strings.ToLower(b.MimeType), Data: data, Name: b.DisplayName}, nil
}

// standardBase64 checks base64 in either alphabet and returns it in the standard
// one, padded; sound data is not copied.
func standardBase64(data string) (string, error) {
	if strings.ContainsAny(data, "-_") || len(data)%4 != 0 {
		plain, err := decodeBase64(data)
		return base64.StdEncoding.EncodeToString(plain), err
	}
	padding := len(data) - len(strings.TrimRight(data, "="))
	if padding > 2 {
		return "", base64.CorruptInputError(len(data) - padding)
	}
	for i := range len(data) - padding {
		if c := data[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/') {
			return "", base64.CorruptInputError(i)
		}
	}
	return data, nil
}

// media reads fileData.
func (f *fileData) media(field string) (*form.Media, error) {
	if f.FileURI == "" {
		return nil, form.Refuse(field+"/fileUri", "fileUri is required")
	}
	if err := refuseStoredFile(f.FileURI, field+"/fileUri"); err != nil {
		return nil, err
	}
	kind := strings.ToLower(f.MimeType)
	if kind == "" {
		kind = typeOf(f.FileURI)
	}
	return &form.Media{Type: kind, URL: f.FileURI, Name: f.DisplayName}, nil
}

// media reads a part of a tool's answer.
func (m *functionMedia) media(field string) (*form.Media, error) {
	switch {
	case m.InlineData != nil:
		return m.InlineData.media(field + "/inlineData")
	case m.FileData != nil:
		return m.FileData.media(field + "/fileData")
	}
	return nil, form.Refuse(field, "the part holds neither inlineData nor fileData")
}

// refuseStoredFile refuses what was uploaded to an account: it would lie in one
// that tenants share, where one could read another's files.
func refuseStoredFile(uri, field string) error {
	if strings.HasPrefix(uri, "files/") || strings.Contains(uri, "generativelanguage.googleapis.com/") {
		return form.Refuse(field, "uploaded files are not supported: they would be kept in an account at the provider that tenants share; send inlineData or a public URL")
	}
	return nil
}

// mediaPart is a part of the kind that its media type tells.
func mediaPart(m *form.Media) form.Part {
	p := form.Part{Kind: form.PartFile, Media: m}
	if m == nil {
		return p
	}
	switch family, _, _ := strings.Cut(m.Type, "/"); family {
	case "image":
		p.Kind = form.PartImage
	case "audio":
		p.Kind = form.PartAudio
	case "video":
		p.Kind = form.PartVideo
	}
	return p
}

// types are the media types of the names of files that Google takes.
var types = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
	".heic": "image/heic", ".heif": "image/heif", ".pdf": "application/pdf", ".txt": "text/plain", ".md": "text/md",
	".html": "text/html", ".csv": "text/csv", ".xml": "text/xml", ".json": "application/json", ".wav": "audio/wav", ".mp3": "audio/mp3",
	".aiff": "audio/aiff", ".aac": "audio/aac", ".ogg": "audio/ogg", ".flac": "audio/flac", ".mp4": "video/mp4",
	".mpeg": "video/mpeg", ".mov": "video/mov", ".webm": "video/webm",
}

// typeOf guesses a media type from a URL; "" when it says nothing.
func typeOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if strings.HasSuffix(u.Hostname(), "youtube.com") || u.Hostname() == "youtu.be" {
		return "video/mp4"
	}
	return types[strings.ToLower(path.Ext(u.Path))]
}

// sniffed are the first characters of base64 that tell a media type.
var sniffed = []struct{ prefix, kind string }{
	{"/9j/", "image/jpeg"}, {"iVBORw0KGgo", "image/png"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"}, {"JVBERi", "application/pdf"},
}

// sniff guesses a media type from data in base64.
func sniff(data string) string {
	for _, s := range sniffed {
		if strings.HasPrefix(data, s.prefix) {
			return s.kind
		}
	}
	return ""
}
