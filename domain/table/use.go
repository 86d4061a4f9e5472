package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// Schema is what a trained encoder must know of its table: it is stored in the model card. Values of identifiers and texts
// are not in it: they name people and things, and the encoder needs their hashes only.
type Schema struct {
	Columns []Column `json:"columns"`
	Target  string   `json:"target,omitempty"`
	Unit    string   `json:"unit,omitempty"` // of a target that is a number
}

// CardData is the Schema of the samples as JSON.
func (s *Samples) CardData() (json.RawMessage, error) {
	out := Schema{Target: s.recipe.Data.Target, Unit: s.target.Unit, Columns: slices.Clone(s.table.Columns)}
	for j := range out.Columns {
		c := &out.Columns[j]
		if c.Kind == Identifier || c.Kind == Text {
			c.Levels = nil
		}
		for _, v := range []*float64{&c.Mean, &c.Std, &c.Min, &c.Max} {
			if math.IsNaN(*v) || math.IsInf(*v, 0) { // a column without a value
				*v = 0
			}
		}
	}
	return json.Marshal(out)
}

var (
	_ domain.Carder   = (*Samples)(nil)
	_ domain.Streamer = Domain{}
)

// stream reads records for a trained encoder.
type records struct {
	rd       Reader
	schema   Schema
	encoding *Encoding
	cfg      recipe.Encoder
	source   string
	cells    []Cell
	parser   *rowParser
	growing  []int // columns whose levels are not the model's: texts and identifiers that are inputs
	row      Row
	ids      []int // fields of the record
	names    []string
	width    int
}

// OpenStream opens a source for a trained model. Columns that the encoder does not see may be absent, or hold anything.
func (Domain) OpenStream(ctx context.Context, card json.RawMessage, enc recipe.Encoder, d recipe.Data, opt domain.StreamOptions) (domain.RecordStream, error) {
	var schema Schema
	if err := json.Unmarshal(card, &schema); err != nil {
		return nil, fmt.Errorf("table: model card: %w", err)
	}
	if len(schema.Columns) == 0 {
		return nil, errors.New("table: the model card names no columns")
	}
	var names, ids []string
	for j := range schema.Columns {
		names = append(names, schema.Columns[j].Name)
		if schema.Columns[j].Kind == Identifier {
			ids = append(ids, schema.Columns[j].Name)
		}
	}
	// Only what the encoder sees is read: a wrong cell elsewhere, or a target that is not known yet, is no hindrance.
	schema.Columns = slices.DeleteFunc(schema.Columns, func(c Column) bool { return !c.Input })
	rd, err := OpenReader(ctx, d, ReaderOptions{CacheDir: opt.CacheDir, Known: names, Warn: opt.Warn})
	if err != nil {
		return nil, err
	}
	s := &records{rd: rd, schema: schema, cfg: enc, source: PublicSource(d), cells: make([]Cell, len(rd.Header())), row: NewRow(len(schema.Columns))}
	for j := range schema.Columns {
		c := &schema.Columns[j]
		if c.Kind == Identifier || c.Kind == Text {
			s.growing = append(s.growing, j)
		} else {
			c.fixed = true
		}
	}
	s.encoding = NewEncoding(schema.Columns)
	s.width = s.encoding.Size()
	wrong := func(err error, hint string) (domain.RecordStream, error) {
		rd.Close()
		return nil, &dataset.Error{Path: s.source, Err: err, Hint: hint}
	}
	if s.parser, err = newParser(rd, schema.Columns, s.source, true, nil); err != nil {
		return wrong(err, "the model needs the columns it was trained on")
	}
	header := rd.Header()
	if opt.IDs == nil {
		for _, name := range ids {
			if slices.Contains(header, name) {
				opt.IDs = append(opt.IDs, name)
			}
		}
	}
	for _, name := range opt.IDs {
		i := slices.Index(header, name)
		if i < 0 {
			return wrong(fmt.Errorf("no column %.60q; it has %s", name, nameList(header)), "--id names a column of the data")
		}
		s.ids, s.names = append(s.ids, i), append(s.names, name)
	}
	return s, nil
}

// mostLevels bounds the texts that are kept between chunks.
const mostLevels = 1 << 16

// extend hashes the texts and identifiers that were met in the record: they are known to the encoder by their hash, whatever they are.
func (s *records) extend() {
	for _, j := range s.growing {
		levels, h := s.schema.Columns[j].Levels, s.encoding.hashed[j]
		if s.schema.Columns[j].Kind == Text {
			if k := len(h) / textWords; k < len(levels) {
				s.encoding.hashed[j] = append(h, hashWords(levels[k:])...)
			}
		} else if len(h) < len(levels) {
			s.encoding.hashed[j] = append(h, hashLevels(levels[len(h):], hashBuckets)...)
		}
	}
}

// forget drops them between chunks: memory must not grow with the source.
func (s *records) forget() {
	for _, j := range s.growing {
		if c := &s.schema.Columns[j]; len(c.Levels) > mostLevels {
			clear(c.Levels)
			c.Levels, s.encoding.hashed[j] = c.Levels[:0], s.encoding.hashed[j][:0]
			clear(s.parser.levels[j])
		}
	}
}

// Input is one encoded row.
func (s *records) Input() domain.Field {
	return domain.Field{Name: InputName, DType: domain.F32, Dims: []int{len(s.encoding.Cells), 2}}
}

// Encoder is the network of the model.
func (s *records) Encoder() (domain.Encoder, error) {
	e, err := NewEncoder(s.cfg, s.encoding)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// IDs names the columns that items carry.
func (s *records) IDs() []string { return s.names }

// Next reads and encodes a chunk of records.
func (s *records) Next(ctx context.Context, dst *domain.Array, rows int, items []domain.Item) ([]domain.Item, error) {
	items = items[:0]
	s.forget()
	n := 0
	for n < rows && len(items) < 2*rows {
		place, err := s.rd.Next(ctx, s.cells)
		if errors.Is(err, io.EOF) {
			return items, io.EOF
		}
		if err == nil {
			if re := s.parser.row(s.cells, place, s.row.V, s.row.S); re != nil {
				err = re
			}
		}
		items = s.grow(items)
		it := &items[len(items)-1]
		it.Place = fmt.Sprintf("%s:%d", s.source, place)
		it.IDs = it.IDs[:0]
		var bad *RecordError
		whole := true
		if err != nil {
			if !errors.As(err, &bad) {
				return items[:len(items)-1], err
			}
			whole = bad.Column != "" // the cells of the record are there
			it.Row, it.Err = -1, err
			it.Place = fmt.Sprintf("%s:%d", s.source, bad.Place)
		}
		for _, i := range s.ids {
			id := ""
			if whole && i < len(s.cells) {
				id = strings.Clone(cellText(&s.cells[i]))
			}
			it.IDs = append(it.IDs, id)
		}
		if err != nil {
			continue
		}
		it.Row, it.Err = n, nil
		s.extend()
		s.encoding.Put(dst.F32[n*s.width:(n+1)*s.width], &s.row)
		n++
	}
	return items, nil
}

func (s *records) grow(items []domain.Item) []domain.Item {
	if len(items) < cap(items) {
		return items[:len(items)+1]
	}
	return append(items, domain.Item{})
}

// Notes names the columns with levels that the model does not know.
func (s *records) Notes() []string {
	var out []string
	for j, n := range s.parser.unseen {
		if c := &s.schema.Columns[j]; n > 0 {
			out = append(out, fmt.Sprintf("column %q: %d cells hold a level that the model does not know (%.40q, for instance); it sees them as unknown", c.Name, n, s.parser.example[j]))
		}
	}
	return out
}

// Close closes the source.
func (s *records) Close() error { return s.rd.Close() }
