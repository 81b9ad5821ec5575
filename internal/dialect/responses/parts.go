package responses

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// isArray reports whether a sound JSON value is an array.
func isArray(raw []byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == '['
}

// readContent reads a text or a list of parts.
func readContent(raw json.RawMessage, field string) ([]form.Part, error) {
	if !isArray(raw) {
		var text string
		if err := decode(raw, &text, field); err != nil {
			return nil, err
		}
		return []form.Part{{Kind: form.PartText, Text: text, Field: field}}, nil
	}
	var list []content
	if err := decode(raw, &list, field); err != nil {
		return nil, err
	}
	parts := make([]form.Part, 0, len(list))
	for i := range list {
		p, err := readPart(&list[i], field+"/"+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func readPart(c *content, field string) (form.Part, error) {
	p := form.Part{Field: field}
	if c.FileID != "" {
		return p, refused(field+"/file_id", "a file id")
	}
	var err error
	switch c.Type {
	case "input_text", "output_text", "text":
		p.Kind, p.Text = form.PartText, c.Text
	case "refusal":
		p.Kind, p.Text = form.PartRefusal, c.Refusal
	case "input_image":
		p.Kind = form.PartImage
		p.Media, err = readAddress(c.ImageURL, field+"/image_url")
		if err == nil {
			p.Media.Detail = c.Detail
		}
	case "input_file":
		p.Kind = form.PartFile
		p.Media, err = readFile(c, field)
	default:
		err = invalid(field+"/type", "type %q is not known here; input_text, input_image, input_file, output_text and refusal are", c.Type)
	}
	return p, err
}

// readFile reads a document: its content, or where it is.
func readFile(c *content, field string) (m *form.Media, err error) {
	switch {
	case c.FileURL != "":
		m, err = readAddress(c.FileURL, field+"/file_url")
	case strings.HasPrefix(c.FileData, "data:"):
		m, err = readAddress(c.FileData, field+"/file_data")
	case c.FileData != "":
		m = &form.Media{Type: "application/pdf", Data: c.FileData}
		err = checkBase64(c.FileData, field+"/file_data")
	default:
		err = invalid(field, "a file needs file_data or file_url")
	}
	if err == nil {
		m.Name = c.Filename
	}
	return m, err
}

// readAddress reads the address of media: of the web, or a data URL (RFC 2397)
// in base64.
func readAddress(text, field string) (*form.Media, error) {
	rest, inline := strings.CutPrefix(text, "data:")
	if !inline {
		if !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") {
			return nil, invalid(field, "must be a URL of http, https or data")
		}
		return &form.Media{URL: text}, nil
	}
	head, data, ok := strings.Cut(rest, ",")
	kind, base64ed := strings.CutSuffix(head, ";base64")
	if !ok || !base64ed {
		return nil, invalid(field, "a data URL must be in base64")
	}
	kind, _, _ = strings.Cut(kind, ";")
	return &form.Media{Type: kind, Data: data}, checkBase64(data, field)
}

// checkBase64 refuses what no provider could decode, in blocks, so that large
// media need no memory.
func checkBase64(data, field string) error {
	if data == "" {
		return invalid(field, "the data is empty")
	}
	var block [3072]byte
	for len(data) > 0 {
		n := min(len(data), 4096)
		if _, err := base64.StdEncoding.Decode(block[:], []byte(data[:n])); err != nil {
			return invalid(field, "the data is not base64")
		}
		data = data[n:]
	}
	return nil
}
