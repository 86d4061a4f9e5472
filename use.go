package selfsame

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/selfsame-ml/selfsame/adapt"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// Model is a trained encoder, opened for use. It must be closed. It is not safe for concurrent use.
type Model struct {
	Card Card

	weights map[string]train.Value
	head    *adapt.Head // nil: adapt did not run
	engine  *engine.Engine
	mode    engine.Mode

	// CacheDir is where decoded samples are kept; "" is the user's cache.
	CacheDir string
	// Warn is told of broken files that are skipped; may be nil.
	Warn func(format string, args ...any)
}

// Open loads a trained encoder from a run directory, or from encoder.safetensors with encoder.json
// beside it, on the engine that fits this machine (or the one that cfg asks for). Features are computed in float32, as
// the scores of audit and adapt were, unless cfg asks for bf16 by name. No code is run from the files.
func Open(path string, cfg ...engine.Config) (*Model, error) {
	weights, card, head, err := modelFiles(path)
	if err != nil {
		return nil, err
	}
	m := &Model{}
	c, err := loadCard(card)
	if err != nil {
		return nil, err
	}
	m.Card = *c
	if m.weights, err = loadWeights(weights); err != nil {
		return nil, err
	}
	if h, err := loadHead(head); err == nil {
		m.head = h
	}
	e := engine.Config{}
	if len(cfg) > 0 {
		e = cfg[0]
	}
	if m.engine, err = engine.Open(e); err != nil {
		return nil, err
	}
	m.mode = m.engine.Mode()
	if e.Precision != engine.BF16 {
		m.mode = m.mode.FP32()
	}
	return m, nil
}

// Close releases the engine.
func (m *Model) Close() { m.engine.Close() }

// Dim is the width of the features.
func (m *Model) Dim() int { return m.Card.Dim }

// Sample is one embedded sample. Features and IDs are overwritten by the next one.
type Sample struct {
	Index    int
	Name     string   // file, or row of an array; file and line of a record
	Part     string   // "train", "val" or "test" of the source; "" for records
	Label    string   // class in the source, or ""
	IDs      []string // records: the columns Source.IDs
	Err      error    // records: why there are no features
	Features []float32
}

// Source names the data that a model is used on.
type Source struct {
	Path string // catalogue name, folder, image file, IDX or .npy file; for tables a file ("-": standard input) or a database
	Part string // "train", "test" or "all" ("" is all); tables have no parts
	// Tables.
	Query  string   // of a database
	IDs    []string // columns that samples carry; nil: the identifiers
	MaxBad int      // records that may fail before the rest is given up; 0: any number
}

// Embed computes the features of every sample of a source, in order. Memory does not grow with the
// number of samples; a broken file is skipped and told to Warn.
func (m *Model) Embed(ctx context.Context, src Source, take func(Sample) error) error {
	d, err := all.Lookup(m.Card.Domain)
	if err != nil {
		return err
	}
	if _, ok := d.(domain.Streamer); ok {
		rec, err := m.records(ctx, src)
		if err != nil {
			return err
		}
		return rec.embed(ctx, take)
	}
	r := recipe.Default()
	r.Domain, r.Encoder, r.Seed = m.Card.Domain, m.Card.Encoder, m.Card.Seed
	r.Data.Source, r.Data.Val, r.Data.TestShare, r.Data.MaxBad = src.Path, 0, 0, 1<<30
	want := m.Card.Input
	if len(want.Dims) == 3 {
		r.Data.Channels = want.Dims[2]
		if want.Dims[0] == want.Dims[1] {
			r.Data.Size = want.Dims[0]
		}
	}
	s, err := d.Open(ctx, r, domain.OpenOptions{CacheDir: m.CacheDir, Warn: m.Warn})
	if err != nil {
		return err
	}
	defer s.Close()
	in := s.Input()
	if !slices.Equal(in.Dims, want.Dims) || typeNames[in.DType] != want.Type {
		return fmt.Errorf("selfsame: %s holds %s %v, the encoder takes %s %v", src.Path, typeNames[in.DType], in.Dims, want.Type, want.Dims)
	}
	emb, err := train.NewEmbedderMode(m.engine, m.mode, s)
	if err != nil {
		return err
	}
	defer emb.Close()
	if err := emb.Bind(m.weights); err != nil {
		return err
	}
	classes := s.Classes()
	index := 0
	for p, part := range partNames {
		if src.Part != "" && src.Part != "all" && src.Part != part {
			continue
		}
		part, labels := part, s.Labels(domain.Part(p))
		err := emb.Each(s.Len(domain.Part(p)), func(dst *domain.Array, row, i int) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return s.Fill(dst, row, domain.Part(p), i)
		}, func(i int, f []float32) error {
			x := Sample{Index: index, Part: part, Features: f}
			if n, ok := s.(domain.Namer); ok {
				x.Name = n.Name(domain.Part(p), i)
			}
			if labels != nil && labels[i] >= 0 {
				x.Label = classes[labels[i]]
			}
			index++
			return take(x)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Prediction is the class of one sample by the linear head that adapt fitted on the encoder.
type Prediction struct {
	Sample
	Classes       []string
	Probabilities []float64 // as Classes; overwritten by the next one; nil where Err says why
	Best          int       // -1 where Err says why, and where a number is predicted
	Value         float64   // the number, where a number is predicted; NaN where Err says why
}

// Predict classifies every sample of a source.
func (m *Model) Predict(ctx context.Context, src Source, take func(Prediction) error) error {
	return m.predict(func(take func(Sample) error) error { return m.Embed(ctx, src, take) }, take)
}

func (m *Model) predict(each func(func(Sample) error) error, take func(Prediction) error) error {
	if m.head == nil {
		return fmt.Errorf("%w: the model has no head: adapt was not run, or the data had no labels", ErrStage)
	}
	lin := m.head.Linear
	return each(func(s Sample) error {
		if s.Err != nil {
			return take(Prediction{Sample: s, Classes: m.head.Classes, Best: -1, Value: math.NaN()})
		}
		if m.head.Numbers() {
			v, err := lin.Logits(s.Features)
			if err != nil {
				return err
			}
			return take(Prediction{Sample: s, Best: -1, Value: float64(v[0])})
		}
		p, err := lin.Probabilities(s.Features)
		if err != nil {
			return err
		}
		out := Prediction{Sample: s, Classes: m.head.Classes, Probabilities: p}
		for i, v := range p {
			if v > p[out.Best] {
				out.Best = i
			}
		}
		return take(out)
	})
}

// featureRow is a row of a Parquet file of features.
type featureRow struct {
	Index    int64     `parquet:"index"`
	Name     string    `parquet:"name"`
	Part     string    `parquet:"part"`
	Label    string    `parquet:"label"`
	Features []float32 `parquet:"features,list"`
}

// EmbedFile writes the features of a source to a .csv, .npy or .parquet file, atomically, and
// returns the number of samples. A .npy file holds the features only, [n, dim] float32.
func (m *Model) EmbedFile(ctx context.Context, src Source, path string) (n int, err error) {
	defer func() {
		var bad *dataset.Error
		if errors.As(err, &bad) { // the data are at fault, not the file that was being written
			err = bad
		}
	}()
	if m.Streams() {
		return m.embedRecords(ctx, src, path)
	}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy":
		w, err := store.CreateNPY(path, m.Dim())
		if err != nil {
			return 0, err
		}
		err = m.Embed(ctx, src, func(s Sample) error { n++; return w.Write(s.Features) })
		if err != nil {
			w.Abort()
			return 0, err
		}
		err = w.Commit()
		return n, err
	case ".csv":
		err = store.WriteFile(path, func(w io.Writer) error {
			c := csv.NewWriter(w)
			row := []string{"index", "name", "part", "label"}
			for j := range m.Dim() {
				row = append(row, "f"+strconv.Itoa(j))
			}
			if err := c.Write(row); err != nil {
				return err
			}
			err := m.Embed(ctx, src, func(s Sample) error {
				row = append(row[:0], strconv.Itoa(s.Index), s.Name, s.Part, s.Label)
				for _, v := range s.Features {
					row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
				}
				n++
				return c.Write(row)
			})
			c.Flush()
			if err == nil {
				err = c.Error()
			}
			return err
		})
		return n, err
	case ".parquet":
		err = store.WriteFile(path, func(w io.Writer) error {
			p := parquet.NewGenericWriter[featureRow](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(16_384),
				parquet.KeyValueMetadata("selfsame.dim", strconv.Itoa(m.Dim())), parquet.KeyValueMetadata("selfsame.model", m.Card.Inputs))
			var one [1]featureRow
			err := m.Embed(ctx, src, func(s Sample) error {
				one[0] = featureRow{int64(s.Index), s.Name, s.Part, s.Label, s.Features}
				n++
				_, err := p.Write(one[:])
				return err
			})
			if err != nil {
				return err
			}
			return p.Close()
		})
		return n, err
	default:
		return 0, fmt.Errorf("selfsame: ending %q of %s is not .csv, .npy or .parquet", ext, path)
	}
}

// PredictCSV writes one row a sample: index, name and label (of records: index, the identifiers, error), and the top classes with
// their probabilities, or the number.
func (m *Model) PredictCSV(ctx context.Context, src Source, w io.Writer, top int) (n int, err error) {
	if m.head == nil {
		return 0, m.predict(nil, nil)
	}
	c := csv.NewWriter(w)
	head := []string{"index", "name", "label"}
	each := func(take func(Sample) error) error { return m.Embed(ctx, src, take) }
	streams := m.Streams()
	if streams {
		rec, err := m.records(ctx, src)
		if err != nil {
			return 0, err
		}
		head = recordColumns(rec.stream.IDs())
		each = func(take func(Sample) error) error { return rec.embed(ctx, take) }
	}
	top = min(max(top, 1), len(m.head.Classes))
	if m.head.Numbers() {
		head = append(head, "predicted_"+m.head.Target.Name)
	}
	for k := range top {
		suffix := ""
		if k > 0 {
			suffix = strconv.Itoa(k + 1)
		}
		head = append(head, "class"+suffix, "probability"+suffix)
	}
	if err := c.Write(head); err != nil {
		return 0, fmt.Errorf("selfsame: %w", err)
	}
	err = m.predict(each, func(p Prediction) error {
		row := []string{strconv.Itoa(p.Index), p.Name, p.Label}
		if streams {
			row = recordCells(row, &p.Sample)
		}
		if p.Best < 0 {
			if m.head.Numbers() && p.Err == nil {
				row = append(row, strconv.FormatFloat(p.Value, 'g', 7, 64))
			}
			for len(row) < len(head) {
				row = append(row, "")
			}
			n++
			return c.Write(row)
		}
		order := make([]int, len(p.Classes))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case p.Probabilities[a] > p.Probabilities[b]:
				return -1
			case p.Probabilities[a] < p.Probabilities[b]:
				return 1
			}
			return 0
		})
		for _, k := range order[:top] {
			row = append(row, p.Classes[k], strconv.FormatFloat(p.Probabilities[k], 'f', 4, 64))
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
