package importer

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// downloadAtOnce is how many entities are read and written at once.
const downloadAtOnce = 1000

// Download yields a session's report in a format, piece by piece: of CSV a line
// for each attribute that differs, of JSON the report with all its entities.
func (im *Importer) Download(ctx context.Context, session string, f DownloadFormat) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		report, err := im.Report(ctx, session)
		if err != nil {
			yield(nil, err)
			return
		}
		var w sheet = &csvSheet{}
		switch f {
		case CSV, "":
		case JSON:
			w = &jsonSheet{}
		default:
			yield(nil, fault.New(fault.Usage, "there is no format %q: csv or json", string(f)))
			return
		}
		piece, err := w.head(report)
		for after := int64(0); err == nil && yield(piece, nil); {
			var page []Entity
			page, err = im.Entities(ctx, EntityQuery{Session: session, After: after, Limit: downloadAtOnce})
			if err != nil {
				break
			}
			if len(page) == 0 {
				yield(w.tail(), nil)
				return
			}
			after = page[len(page)-1].Seq
			piece, err = w.page(page)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// sheet is the form of a download.
type sheet interface {
	head(*Report) ([]byte, error)
	page([]Entity) ([]byte, error)
	tail() []byte
}

type csvSheet struct{}

func (csvSheet) head(*Report) ([]byte, error) {
	return csvLines([][]string{{"seq", "kind", "externalId", "member", "name", "account", "action", "done", "attribute", "before", "after", "reason", "remedy", "place"}})
}

func (csvSheet) page(entities []Entity) ([]byte, error) {
	var lines [][]string
	for i := range entities {
		e := &entities[i]
		line := func(attribute, before, after string) {
			cells := []string{
				strconv.FormatInt(e.Seq, 10), string(e.Kind), e.ExternalID, e.Member, e.Name, e.Account, string(e.Action), strconv.FormatBool(e.Done),
				attribute, before, after, e.Reason, e.Remedy, e.Place,
			}
			for i := range cells {
				cells[i] = harmless(cells[i])
			}
			lines = append(lines, cells)
		}
		if len(e.After) == 0 {
			line("", "", "")
		}
		for _, name := range slices.Sorted(maps.Keys(e.After)) {
			line(name, cell(e.Before[name]), cell(e.After[name]))
		}
	}
	return csvLines(lines)
}

func (csvSheet) tail() []byte { return nil }

func csvLines(lines [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(lines); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the report cannot be written")
	}
	return b.Bytes(), nil
}

func cell(v any) string {
	if v == nil {
		return ""
	}
	return value.Text(v)
}

// formulas begin what a spreadsheet may take for a formula, in both widths (OWASP,
// CSV injection).
const formulas = "=+-@\t\r\n＝＋－＠"

// harmless keeps a spreadsheet from taking a cell for a formula.
func harmless(cell string) string {
	if first, _ := utf8.DecodeRuneInString(cell); cell != "" && strings.ContainsRune(formulas, first) {
		return "'" + cell
	}
	return cell
}

type jsonSheet struct{ more bool }

func (s *jsonSheet) head(r *Report) ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the report cannot be written")
	}
	return append(bytes.TrimSuffix(text, []byte("\n}")), ",\n  \"entities\": ["...), nil
}

func (s *jsonSheet) page(entities []Entity) ([]byte, error) {
	var b bytes.Buffer
	for i := range entities {
		text, err := json.Marshal(&entities[i])
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the report cannot be written")
		}
		if s.more {
			b.WriteByte(',')
		}
		s.more = true
		b.WriteString("\n    ")
		b.Write(text)
	}
	return b.Bytes(), nil
}

func (s *jsonSheet) tail() []byte { return []byte("\n  ]\n}\n") }
