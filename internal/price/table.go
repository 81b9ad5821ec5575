package price

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// MaxRows bounds the prices of one file.
const MaxRows = 5000

// Row is one price of a file. Its Version is not part of what is read.
type Row struct {
	// Line is where it begins, from 1.
	Line  int
	Price sluice.Price
}

// perMillion ends the names of the columns that hold rates: in a table, as
// vendors do, a rate is per 1,000,000 units, and the name says so.
const perMillion = "_per_million"

// tableColumns are the columns besides the rates. version is written for people
// and ignored when it is read.
var tableColumns = []string{"version", "model", "tenant", "asset", "from", "free"}

// Read reads a file of prices. A row that cannot be read is
// [sluice.CodeInvalidRequest] with its line.
func Read(format sluice.PriceFormat, data []byte) ([]Row, error) {
	read := readCSV
	switch format {
	case sluice.PriceCSV:
	case sluice.PriceJSON:
		read = readJSON
	default:
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the format must be json or csv").At("format")
	}
	rows, err := read(data)
	if err == nil && len(rows) == 0 {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the file holds no price")
	}
	return rows, err
}

// AtLine says in which line of a file an error is.
func AtLine(line int, err error) error {
	var e *sluice.Error
	if !errors.As(err, &e) {
		return err
	}
	out := sluice.Errorf(e.Code, "line %d: %s", line, e.Message).At(e.Field)
	return out.With("line", line)
}

func invalid(field, format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, format, args...).At(field)
}

func tooMany(line int) error { return AtLine(line, invalid("", "more than %d prices", MaxRows)) }

func readCSV(data []byte) ([]Row, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.ReuseRecord = true
	first, err := r.Read()
	if err != nil {
		return nil, csvError(err)
	}
	columns := slices.Clone(first)
	for i, name := range columns {
		unit, rate := strings.CutSuffix(name, perMillion)
		_, err := sluice.ParseUnit(unit)
		if slices.Index(columns, name) < i || !slices.Contains(tableColumns, name) && (!rate || err != nil) {
			return nil, AtLine(1, invalid("", "column %q is unknown or there twice", clip(name)))
		}
	}
	var rows []Row
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, csvError(err)
		}
		line, _ := r.FieldPos(0)
		if len(rows) == MaxRows {
			return nil, tooMany(line)
		}
		p, err := priceOf(columns, cells)
		if err != nil {
			return nil, AtLine(line, err)
		}
		rows = append(rows, Row{line, p})
	}
}

func csvError(err error) error {
	var broken *csv.ParseError
	if errors.As(err, &broken) {
		return AtLine(broken.StartLine, invalid("", "%s", broken.Err.Error()))
	}
	return AtLine(1, invalid("", "a table begins with the names of its columns"))
}

// priceOf reads the cells of one line.
func priceOf(columns, cells []string) (p sluice.Price, err error) {
	for i, name := range columns {
		text := strings.Clone(strings.TrimSpace(cells[i]))
		if text == "" {
			continue
		}
		switch name {
		case "version":
		case "model":
			p.Model = text
		case "tenant":
			p.Tenant = text
		case "asset":
			p.Asset = text
		case "from":
			if p.From, err = time.Parse(time.RFC3339, text); err != nil {
				err = invalid("/from", "expected a time as in RFC 3339, for instance 2026-01-31T12:00:00Z")
			}
		case "free":
			if p.Free, err = strconv.ParseBool(text); err != nil {
				err = invalid("/free", "free is true or false")
			}
		default:
			err = addRate(&p, strings.TrimSuffix(name, perMillion), text)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// addRate reads a rate per 1,000,000 units.
func addRate(p *sluice.Price, unit, text string) error {
	u, err := sluice.ParseUnit(unit)
	if err != nil {
		return err
	}
	rate, err := sluice.ParseNanos(text) // a rate is in nano-units per million
	if err != nil {
		return sluice.AsError(err).At("/rates/" + unit)
	}
	if p.Rates == nil {
		p.Rates = map[sluice.Unit]sluice.Rate{}
	}
	p.Rates[u] = sluice.Rate(rate)
	return nil
}

// readJSON reads a list of prices, or {"items": list} as [Write] makes it.
func readJSON(data []byte) ([]Row, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	line := func() int {
		rest := bytes.TrimLeft(data[dec.InputOffset():], ", \t\r\n")
		return 1 + bytes.Count(data[:len(data)-len(rest)], []byte("\n"))
	}
	bad := func(err error) ([]Row, error) {
		var e *sluice.Error
		if !errors.As(err, &e) {
			err = invalid("", "%s", strings.TrimPrefix(err.Error(), "json: "))
		}
		return nil, AtLine(line(), err)
	}
	if err := openList(dec); err != nil {
		return bad(err)
	}
	var rows []Row
	for dec.More() {
		at := line()
		if len(rows) == MaxRows {
			return nil, tooMany(at)
		}
		var p sluice.Price
		if err := dec.Decode(&p); err != nil {
			return bad(err)
		}
		rows = append(rows, Row{at, p})
	}
	if _, err := dec.Token(); err != nil {
		return bad(err)
	}
	return rows, nil
}

// openList reads up to the first price.
func openList(dec *json.Decoder) error {
	wrong := invalid("", `expected a list of prices, or {"items": [...]}`)
	t, err := dec.Token()
	if err != nil {
		return wrong
	}
	if t == json.Delim('{') {
		if name, err := dec.Token(); err != nil || name != "items" {
			return wrong
		}
		if t, err = dec.Token(); err != nil {
			return wrong
		}
	}
	if t != json.Delim('[') {
		return wrong
	}
	return nil
}

// Write renders prices as a file that [Read] reads.
func Write(format sluice.PriceFormat, prices []sluice.Price) ([]byte, error) {
	switch format {
	case sluice.PriceJSON:
		b, err := json.MarshalIndent(map[string][]sluice.Price{"items": prices}, "", "  ")
		return append(b, '\n'), err
	case sluice.PriceCSV:
		return writeCSV(prices)
	}
	return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the format must be json or csv").At("format")
}

func writeCSV(prices []sluice.Price) ([]byte, error) {
	header := slices.Clone(tableColumns)
	for u := range sluice.UnitCount {
		header = append(header, sluice.Unit(u).String()+perMillion)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{header}
	for _, p := range prices {
		cells := []string{strconv.FormatUint(p.Version, 10), p.Model, p.Tenant, p.Asset, p.From.UTC().Format(time.RFC3339Nano), ""}
		if p.Free {
			cells[len(cells)-1] = "true"
		}
		for u := range sluice.UnitCount {
			cell := ""
			if rate, priced := p.Rates[sluice.Unit(u)]; priced {
				cell = sluice.Nanos(rate).String()
			}
			cells = append(cells, cell)
		}
		lines = append(lines, cells)
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("write prices: %w", err)
	}
	return b.Bytes(), nil
}

// clip bounds text that a message repeats.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
