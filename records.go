package selfsame

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// chunkRecords is how many records are read while the device computes the ones before.
const chunkRecords = 4096

// records is a source of records opened for the model.
type records struct {
	m      *Model
	src    Source
	stream domain.RecordStream
	emb    *train.Embedder
	failed int
}

// records opens the source of a domain that is read record by record.
func (m *Model) records(ctx context.Context, src Source) (*records, error) {
	d, err := all.Lookup(m.Card.Domain)
	if err != nil {
		return nil, err
	}
	s, ok := d.(domain.Streamer)
	if !ok {
		return nil, fmt.Errorf("selfsame: domain %q is not read record by record", m.Card.Domain)
	}
	if src.Part != "" && src.Part != "all" {
		return nil, fmt.Errorf("%w: %s is read whole, it has no part %q", ErrStage, src.Path, src.Part)
	}
	data := recipe.Default().Data
	data.Source, data.Query = src.Path, src.Query
	st, err := s.OpenStream(ctx, m.Card.Data, m.Card.Encoder, data, domain.StreamOptions{CacheDir: m.CacheDir, IDs: src.IDs, Warn: m.Warn})
	if err != nil {
		return nil, err
	}
	enc, err := st.Encoder()
	if err != nil {
		st.Close()
		return nil, err
	}
	emb, err := train.NewInputEmbedder(m.engine, m.mode, st.Input(), enc)
	if err == nil {
		if err = emb.Bind(m.weights); err != nil {
			emb.Close()
		}
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	return &records{m: m, src: src, stream: st, emb: emb}, nil
}

// chunk is what one read gives.
type chunk struct {
	rows  domain.Array
	items []domain.Item
	err   error
}

// embed computes the features of every record, in order, and closes the source. Records that cannot be read keep their place: Err says
// why they have no features.
func (r *records) embed(ctx context.Context, take func(Sample) error) (err error) {
	defer r.stream.Close()
	defer r.emb.Close()
	ctx, cancel := context.WithCancel(ctx)
	in := r.stream.Input()
	free, ready := make(chan *chunk, 2), make(chan *chunk, 2)
	for range 2 {
		free <- &chunk{rows: domain.NewArray(in, chunkRecords)}
	}
	done := make(chan struct{})
	defer func() { cancel(); <-done }() // the source is not closed while it is read
	go func() {
		defer close(done)
		defer close(ready)
		for {
			var c *chunk
			select {
			case c = <-free:
			case <-ctx.Done():
				return
			}
			c.items, c.err = r.stream.Next(ctx, &c.rows, chunkRecords, c.items)
			ready <- c
			if c.err != nil {
				return
			}
		}
	}()
	index := 0
	var features []float32
	dim := r.emb.Dim()
	for c := range ready {
		n := 0
		for i := range c.items {
			if c.items[i].Err == nil {
				n++
			}
		}
		if cap(features) < n*dim {
			features = make([]float32, n*dim)
		}
		err := r.emb.Each(n, func(dst *domain.Array, row, i int) error {
			domain.CopyRow(in, dst, row, &c.rows, i)
			return ctx.Err()
		}, func(i int, f []float32) error { copy(features[i*dim:(i+1)*dim], f); return nil })
		if err != nil {
			return err
		}
		for i := range c.items {
			it := &c.items[i]
			s := Sample{Index: index, Name: it.Place, IDs: it.IDs, Err: it.Err}
			if it.Err == nil {
				s.Features = features[it.Row*dim : (it.Row+1)*dim]
			} else if r.failed++; r.src.MaxBad > 0 && r.failed > r.src.MaxBad {
				return &dataset.Error{Path: r.src.Path, Err: fmt.Errorf("%d records cannot be read, the limit is %d; the last: %w", r.failed, r.src.MaxBad, it.Err), Hint: "--max-bad raises the limit"}
			}
			index++
			if err := take(s); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(c.err, io.EOF):
			r.tell()
			return nil
		case c.err != nil:
			return c.err
		}
		free <- c
	}
	return ctx.Err()
}

// tell says what a user should know of the records that were read.
func (r *records) tell() {
	if r.m.Warn == nil {
		return
	}
	for _, n := range r.stream.Notes() {
		r.m.Warn("%s: %s", r.src.Path, n)
	}
	if r.failed > 0 {
		r.m.Warn("%s: %d records could not be read; their rows say why", r.src.Path, r.failed)
	}
}

// Streams reports whether the model's domain is read record by record (tables): samples then carry IDs and errors, and have no parts.
func (m *Model) Streams() bool {
	d, err := all.Lookup(m.Card.Domain)
	if err != nil {
		return false
	}
	_, ok := d.(domain.Streamer)
	return ok
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), "table: ")
}

// embedRecords writes the features of records: index, the identifiers, error, f0 and so on. A .npy file holds NaN where a record
// could not be read.
func (m *Model) embedRecords(ctx context.Context, src Source, path string) (n int, err error) {
	rec, err := m.records(ctx, src)
	if err != nil {
		return 0, err
	}
	ids := rec.stream.IDs()
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy":
		w, err := store.CreateNPY(path, m.Dim())
		if err != nil {
			return 0, err
		}
		none := make([]float32, m.Dim())
		for i := range none {
			none[i] = float32(math.NaN())
		}
		err = rec.embed(ctx, func(s Sample) error {
			n++
			if s.Err != nil {
				return w.Write(none)
			}
			return w.Write(s.Features)
		})
		if err != nil {
			w.Abort()
			return 0, err
		}
		return n, w.Commit()
	case ".parquet":
		err = store.WriteFile(path, func(w io.Writer) error { n, err = rec.parquet(ctx, w, ids); return err })
		return n, err
	case ".csv":
		err = store.WriteFile(path, func(w io.Writer) error { n, err = rec.csv(ctx, w, ids); return err })
		return n, err
	default:
		return 0, fmt.Errorf("selfsame: ending %q of %s is not .csv, .npy or .parquet", ext, path)
	}
}

// EmbedCSV writes the features of records as CSV: index, the identifiers, error, f0 and so on.
func (m *Model) EmbedCSV(ctx context.Context, src Source, w io.Writer) (n int, err error) {
	rec, err := m.records(ctx, src)
	if err != nil {
		return 0, err
	}
	return rec.csv(ctx, w, rec.stream.IDs())
}

// recordColumns are the names of the columns before the features or the answer.
func recordColumns(ids []string) []string {
	return append(append([]string{"index"}, ids...), "error")
}

func recordCells(row []string, s *Sample) []string {
	row = append(row[:0], strconv.Itoa(s.Index))
	row = append(row, s.IDs...)
	return append(row, errorText(s.Err))
}

func (r *records) csv(ctx context.Context, w io.Writer, ids []string) (n int, err error) {
	c := csv.NewWriter(w)
	row := recordColumns(ids)
	for j := range r.m.Dim() {
		row = append(row, "f"+strconv.Itoa(j))
	}
	if err := c.Write(row); err != nil {
		return 0, err
	}
	width := len(row)
	var text []byte
	err = r.embed(ctx, func(s Sample) error {
		row = recordCells(row, &s)
		for _, v := range s.Features {
			text = strconv.AppendFloat(text[:0], float64(v), 'g', -1, 32)
			row = append(row, string(text))
		}
		for len(row) < width {
			row = append(row, "")
		}
		n++
		return c.Write(row)
	})
	c.Flush()
	if err == nil {
		err = c.Error()
	}
	return n, err
}

// parquet writes a file whose identifiers are columns of their own.
func (r *records) parquet(ctx context.Context, w io.Writer, ids []string) (n int, err error) {
	field := func(name string, t any, tag string) reflect.StructField {
		return reflect.StructField{Name: name, Type: reflect.TypeOf(t), Tag: reflect.StructTag(`parquet:` + strconv.Quote(tag))}
	}
	fields := []reflect.StructField{field("Index", int64(0), "index")}
	used := map[string]int{"index": 1, "error": 1, "features": 1}
	for i, id := range ids {
		name := strings.Map(func(r rune) rune {
			if r == ',' || r == '"' || r == '`' {
				return '_'
			}
			return r
		}, id)
		if used[name]++; used[name] > 1 {
			name += "_" + strconv.Itoa(used[name])
		}
		fields = append(fields, field("ID"+strconv.Itoa(i), "", name))
	}
	fields = append(fields, field("Error", "", "error"), field("Features", []float32(nil), "features,list"))
	t := reflect.StructOf(fields)
	p := parquet.NewWriter(w, parquet.SchemaOf(reflect.New(t).Interface()), parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(16_384),
		parquet.KeyValueMetadata("selfsame.dim", strconv.Itoa(r.m.Dim())), parquet.KeyValueMetadata("selfsame.model", r.m.Card.Inputs))
	one := reflect.New(t).Elem()
	err = r.embed(ctx, func(s Sample) error {
		one.Field(0).SetInt(int64(s.Index))
		for i, id := range s.IDs {
			one.Field(1 + i).SetString(id)
		}
		one.Field(1 + len(ids)).SetString(errorText(s.Err))
		one.Field(2 + len(ids)).Set(reflect.ValueOf(s.Features))
		n++
		return p.Write(one.Addr().Interface())
	})
	if err != nil {
		return n, err
	}
	return n, p.Close()
}
