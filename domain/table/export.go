package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/view"
)

// Header names the columns of the source.
func (s *Samples) Header() []string {
	out := make([]string, len(s.table.Columns))
	for j := range out {
		out[j] = s.table.Columns[j].Name
	}
	return out
}

// record is a row of the source as it stands there.
type record struct {
	text    []string
	missing []bool
}

// records reads the records of training samples from the source again: a table keeps what cells mean, not how they were
// written. A record that no longer says what it said when the table was read is an error.
func (s *Samples) records(ctx context.Context, samples []int) (out map[int32]record, comma bool, err error) {
	want := map[int]int32{} // place -> row
	for _, i := range samples {
		if i < 0 || i >= s.Len(domain.Train) {
			return nil, false, fmt.Errorf("table: sample %d of a part that has %d", i, s.Len(domain.Train))
		}
		at := s.parts[domain.Train][i]
		if s.table.Places == nil {
			return nil, false, nil
		}
		want[s.table.Places[at]] = at
	}
	rd, err := OpenReader(ctx, s.recipe.Data, ReaderOptions{Known: s.Header()})
	if err != nil {
		return nil, false, err
	}
	defer rd.Close()
	p, err := newParser(rd, slices.Clone(s.table.Columns), s.table.Source, false, nil)
	if err != nil {
		return nil, false, fmt.Errorf("table: %s: %w", s.table.Source, err)
	}
	cells, row := make([]Cell, len(rd.Header())), NewRow(len(s.table.Columns))
	out = make(map[int32]record, len(want))
	for len(out) < len(want) {
		place, err := rd.Next(ctx, cells)
		var bad *RecordError
		switch {
		case errors.Is(err, io.EOF):
			return nil, false, fmt.Errorf("table: %s: it was changed while it was in use: %d of %d records are gone", s.table.Source, len(want)-len(out), len(want))
		case errors.As(err, &bad):
			continue
		case err != nil:
			return nil, false, err
		}
		at, ok := want[place]
		if !ok {
			continue
		}
		if bad := p.row(cells, place, row.V, row.S); bad != nil {
			return nil, false, bad
		}
		rec := record{text: make([]string, len(p.cols)), missing: make([]bool, len(p.cols))}
		for j := range p.cols {
			c := &cells[p.from[j]]
			if v, st := s.table.Values[j][at], s.table.States[j][at]; st != row.S[j] || v != row.V[j] && !(v == Unknown || row.V[j] == Unknown) {
				return nil, false, fmt.Errorf("table: %s:%d: column %q: it was changed while it was in use, or its records come in another order each time", s.table.Source, place, p.cols[j].Name)
			}
			rec.text[j], rec.missing[j] = strings.Clone(cellText(c)), row.S[j] == Missing
			if !c.IsTime && c.IsNum && c.Text == "" || c.IsTime && c.Text == "" { // a typed source writes no text
				rec.text[j] = p.cols[j].CellText(row.V[j], row.S[j])
			}
		}
		out[at] = rec
	}
	return out, p.comma, nil
}

// chosenStreams are the streams of a name, see domain.Tabler.
func (v *Sampler) chosenStreams(name string) ([]int, error) {
	var out []int
	var names []string
	for k := range v.streams {
		names = append(names, v.streams[k].Name)
		if name == "all" || name == v.streams[k].Name || name == "" && v.streams[k].Kind == contract.Invariant {
			out = append(out, k)
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case name == "" && len(v.streams) > 0:
		return v.chosenStreams("all")
	case len(v.streams) == 0:
		return nil, fmt.Errorf("table: %w: the recipe declares no transformation, so there are no views", view.ErrConfig)
	}
	return nil, fmt.Errorf("table: %w: stream %q is not one of %s, all", view.ErrConfig, name, strings.Join(names, ", "))
}

// ViewRows writes originals and their views; see domain.Tabler. Cells that a view changed are written in the format of
// their column, the others as they stand in the source.
func (s *Samples) ViewRows(ctx context.Context, samples []int, seed, epoch uint64, stream string, fn func(domain.TableRow) error) error {
	v, err := s.sampler()
	if err != nil {
		return err
	}
	streams, err := v.chosenStreams(stream)
	if err != nil {
		return err
	}
	recs, comma, err := s.records(ctx, samples)
	if err != nil {
		return err
	}
	src := NewRow(len(s.table.Columns))
	for _, i := range samples {
		if err := s.Row(domain.Train, i, &src); err != nil {
			return err
		}
		at := s.parts[domain.Train][i]
		rec, ok := recs[at]
		if !ok {
			rec = s.written(&src)
		}
		base := domain.TableRow{Sample: i, Place: s.table.Place(int(at)), Cells: rec.text, Missing: rec.missing}
		if err := fn(base); err != nil {
			return err
		}
		number := 0
		for _, k := range streams {
			for n := range v.streams[k].Views {
				if err := ctx.Err(); err != nil {
					return err
				}
				rv, err := v.View(seed, epoch, i, k, n)
				if err != nil {
					return err
				}
				number++
				out := base
				out.Stream, out.View = v.streams[k].Name, number
				out.Cells, out.Missing = slices.Clone(rec.text), slices.Clone(rec.missing)
				for j := range s.table.Columns {
					if same(&rv.Row, &src, j) {
						continue
					}
					c := &s.table.Columns[j]
					out.Changed = append(out.Changed, c.Name)
					out.Cells[j], out.Missing[j] = c.CellText(rv.Row.V[j], rv.Row.S[j]), rv.Row.S[j] != Present
					if comma && (c.Kind.Numeric()) {
						out.Cells[j] = strings.ReplaceAll(out.Cells[j], ".", ",")
					}
				}
				out.Drawn = v.tableDraws(&rv)
				if err := fn(out); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// written is a row without a source.
func (s *Samples) written(r *Row) record {
	rec := record{text: make([]string, len(s.table.Columns)), missing: make([]bool, len(s.table.Columns))}
	for j := range s.table.Columns {
		rec.text[j], rec.missing[j] = s.table.Columns[j].CellText(r.V[j], r.S[j]), r.S[j] != Present
	}
	return rec
}

func (v *Sampler) tableDraws(rv *RowView) []domain.TableDraw {
	var out []domain.TableDraw
	for _, d := range rv.Draws {
		at := slices.IndexFunc(v.m.steps, func(s *step) bool { return s.cfg.Name == d.Transform })
		td := domain.TableDraw{Transform: d.Transform, Values: slices.Clone(d.Params.V[:d.Params.N])}
		for k, p := range v.m.steps[at].spec.Params[:min(d.Params.N, len(v.m.steps[at].spec.Params))] {
			td.Params = append(td.Params, domain.TableParam{Name: p.Name, Value: d.Params.V[k]})
		}
		for _, ch := range rv.Changes {
			if ch.Step != at {
				continue
			}
			donor := ""
			if ch.Donor >= 0 {
				donor = v.m.t.Place(ch.Donor)
			}
			td.Columns, td.Donors = append(td.Columns, v.m.t.Columns[ch.Column].Name), append(td.Donors, donor)
		}
		out = append(out, td)
	}
	return out
}

// ViewWords are the cells of a row and of its view for people; see domain.Tabler. View is nil where t shows no rows.
func (s *Samples) ViewWords(t domain.Transformation, p domain.Part, i int, params view.Params) (original, words []string, err error) {
	r := NewRow(len(s.table.Columns))
	if err := s.Row(p, i, &r); err != nil {
		return nil, nil, err
	}
	write := func() (out []string) {
		for j := range s.table.Columns {
			out = append(out, s.table.Columns[j].CellWords(r.V[j], r.S[j]))
		}
		return out
	}
	original = write()
	rt, ok := t.(RowTransformation)
	if !ok {
		return original, nil, nil
	}
	if err := rt.ViewRow(&r, p, i, params); err != nil {
		return nil, nil, err
	}
	return original, write(), nil
}

// Compare returns the share of the cells that differ between a row and its view, [cells, 2] of value and state, and by how
// much these do on average: numbers in standard deviations of their column, phases in turns, codes and states by 1.
func (s *Samples) Compare(original, view *domain.Array, row int) (share, distance float64) {
	n := s.encoding.Size()
	a, b := original.F32[row*n:(row+1)*n], view.F32[row*n:(row+1)*n]
	changed := 0
	for k := range s.encoding.Cells {
		x, y := float64(a[2*k]), float64(b[2*k])
		switch state := a[2*k+1] != b[2*k+1]; {
		case !state && x == y:
			continue
		case state || s.encoding.Cells[k].Kind == CodeCell:
			distance++
		case s.encoding.Cells[k].Kind == PhaseCell:
			d := math.Abs(x - y)
			distance += min(d, 1-d)
		default:
			distance += math.Abs(x - y)
		}
		changed++
	}
	return float64(changed) / float64(max(len(s.encoding.Cells), 1)), distance / float64(max(changed, 1))
}

// Blank reports whether no cell of a row of an array holds a value.
func (s *Samples) Blank(view *domain.Array, row int) bool {
	n := s.encoding.Size()
	for k := range s.encoding.Cells {
		if view.F32[row*n+2*k+1] == float32(Present) {
			return false
		}
	}
	return true
}

// TreeView writes a view as Tree writes originals, see domain.Prober.
func (s *Samples) TreeView(dst []float32, t domain.Transformation, p domain.Part, i int, params view.Params) error {
	r := NewRow(len(s.table.Columns))
	if t == nil {
		if err := s.Row(p, i, &r); err != nil {
			return err
		}
	} else {
		rt, ok := t.(RowTransformation)
		if !ok {
			return fmt.Errorf("table: %s shows no rows", t.Spec().Name)
		}
		if err := rt.ViewRow(&r, p, i, params); err != nil {
			return err
		}
	}
	q := 0
	for j := range s.table.Columns {
		c := &s.table.Columns[j]
		if !c.Input || c.Kind == Identifier || c.Kind == Text {
			continue
		}
		if q >= len(dst) {
			return fmt.Errorf("table: %d features do not fit %d", q+1, len(dst))
		}
		v := r.V[j]
		switch {
		case r.S[j] != Present || c.Kind.Coded() && v < 0:
			v = math.NaN()
		case c.Kind == Timestamp:
			v -= c.Mean // as Tree does
		}
		dst[q] = float32(min(max(v, -math.MaxFloat32), math.MaxFloat32))
		q++
	}
	if q != len(dst) {
		return fmt.Errorf("table: %d features do not fill %d", q, len(dst))
	}
	return nil
}

// Claim says what an Invariant contract claims of levels; see domain.Claimer.
func (s *Samples) Claim(t domain.Transformation, term contract.Term) (claim, advice string) {
	v, err := s.sampler()
	if err != nil || term.Kind != contract.Invariant || term.Range.From == 0 && term.Range.To == 0 {
		return "", ""
	}
	at := slices.IndexFunc(v.m.steps, func(st *step) bool { return st.cfg.Name == t.Config().Name })
	if at < 0 {
		return "", ""
	}
	st := v.m.steps[at]
	j := st.column
	if j < 0 { // of the row: the first such column that it may change stands for all
		k := slices.IndexFunc(v.m.touch, func(j int32) bool { return meaningful(&s.table.Columns[j]) })
		if k < 0 {
			return "", ""
		}
		j = int(v.m.touch[k])
	}
	c := &s.table.Columns[j]
	if !meaningful(c) {
		return "", ""
	}
	advice = "declare " + c.Name + " protected, or say restorable"
	where := ""
	if st.op.row() {
		where, advice = fmt.Sprintf(" (and so on for all columns that %s may change)", st.cfg.Name), "declare the columns that carry meaning protected, or say restorable"
	}
	switch st.op {
	case opDrop, opMask, opMaskRows:
		return fmt.Sprintf("a row without its %s means the same%s", c.Name, where), advice
	case opSwap, opSwapWithin, opCorrupt:
		a, b := s.twoLevels(j)
		if b == "" {
			return "", ""
		}
		return fmt.Sprintf("turning %s from %s into %s changes nothing%s", c.Name, strconv.Quote(a), strconv.Quote(b), where), advice
	}
	return "", ""
}

func meaningful(c *Column) bool { return c.Kind == Category || c.Kind == Boolean || c.Kind == Ordinal }

// twoLevels are the two levels of column j that most rows of the training part have.
func (s *Samples) twoLevels(j int) (a, b string) {
	count := make([]int, len(s.table.Columns[j].Levels))
	for _, i := range s.parts[domain.Train] {
		if v := s.table.Values[j][i]; s.table.States[j][i] == Present && v >= 0 && int(v) < len(count) {
			count[int(v)]++
		}
	}
	first, second := -1, -1
	for k, n := range count {
		switch {
		case n > 0 && (first < 0 || n > count[first]):
			first, second = k, first
		case n > 0 && (second < 0 || n > count[second]):
			second = k
		}
	}
	if second < 0 {
		return "", ""
	}
	return s.table.Columns[j].Levels[first], s.table.Columns[j].Levels[second]
}

var (
	_ domain.Tabler   = (*Samples)(nil)
	_ domain.Comparer = (*Samples)(nil)
	_ domain.Prober   = (*Samples)(nil)
	_ domain.Claimer  = (*Samples)(nil)
)
