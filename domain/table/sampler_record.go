package table

import (
	"fmt"
	"math"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

// Change is one cell that a transformation wrote: the drawn corruption, for everybody to check.
type Change struct {
	Step               int // in Sampler.Transforms
	Column             int
	Donor              int // row of the table whose cell this is; -1 where it is of no other row
	Old, New           float64
	OldState, NewState State
}

// RowView is one view of a row, with everything that made it.
type RowView struct {
	Row     Row
	Draws   []domain.Draw
	Changes []Change // in the order of writing; derived columns are not among them
}

func (s *Sampler) params(d *drawn) view.Params {
	st := s.m.steps[d.step]
	p := view.Params{N: 1, Applied: true}
	p.V[0] = d.v
	if st.op.keyed() {
		p.N = 3
		p.V[paramKeyHigh], p.V[paramKeyLow] = float64(uint64(d.key)>>32), float64(uint32(d.key))
	}
	if st.op.row() {
		p.N, p.V[paramSpared] = 4, float64(d.spared)
	}
	return p
}

// drawnOf reads recorded parameters of step k.
func (s *Sampler) drawnOf(k int, p *view.Params) (d drawn, err error) {
	d = drawn{step: k, v: p.V[0], key: keyOf(p), spared: -1}
	if s.m.steps[k].op.row() && p.N > paramSpared {
		d.spared = int32(p.V[paramSpared])
	}
	if math.IsNaN(d.v) || math.IsInf(d.v, 0) {
		return d, fmt.Errorf("table: %s: the recorded parameter is %g", s.m.steps[k].cfg.Name, d.v)
	}
	if s.m.steps[k].op.row() {
		d.v = min(max(d.v, 0), 1)
	}
	return d, nil
}

// Drawn returns the draws with which Fill makes the views of training sample i, in the order of the streams.
func (s *Sampler) Drawn(seed, epoch uint64, i int) []domain.Draw {
	var out []domain.Draw
	s.each(seed, epoch, i, func(st *stream, v int, w *workspace) {
		out = append(out, s.draws(st, v, w)...)
	})
	return out
}

func (s *Sampler) draws(st *stream, v int, w *workspace) []domain.Draw {
	var out []domain.Draw
	for k := range *w.log {
		d := &(*w.log)[k]
		out = append(out, domain.Draw{Stream: st.Name, View: v, Transform: s.m.steps[d.step].cfg.Name, Params: s.params(d)})
	}
	return out
}

// each makes every view of training sample i with its record.
func (s *Sampler) each(seed, epoch uint64, i int, fn func(st *stream, v int, w *workspace)) {
	w := s.newWorkspace()
	w.log, w.trace = new([]drawn), new([]Change)
	if s.samples.Row(domain.Train, i, &w.src) != nil {
		return
	}
	for k := range s.streams {
		for v := range s.streams[k].Views {
			s.view(w, &s.streams[k], seed, epoch, i, v)
			fn(&s.streams[k], v, w)
		}
	}
}

// View returns view v of a stream (by its place in Streams) of training sample i exactly as Fill makes it, before it is encoded.
func (s *Sampler) View(seed, epoch uint64, i, stream, v int) (RowView, error) {
	if stream < 0 || stream >= len(s.streams) || v < 0 || v >= s.streams[stream].Views {
		return RowView{}, fmt.Errorf("table: view %d of stream %d: there are %d streams", v, stream, len(s.streams))
	}
	w := s.newWorkspace()
	w.log, w.trace = new([]drawn), new([]Change)
	if err := s.samples.Row(domain.Train, i, &w.src); err != nil {
		return RowView{}, err
	}
	st := &s.streams[stream]
	s.view(w, st, seed, epoch, i, v)
	return RowView{Row: w.row, Draws: s.draws(st, v, w), Changes: *w.trace}, nil
}

// transformation is one declared transformation for stages that do not know tables.
type transformation struct {
	s    *Sampler
	step *step
	at   int
}

func (t *transformation) Spec() view.Spec     { return t.step.spec }
func (t *transformation) Config() view.Config { return t.step.cfg }

func (t *transformation) with(seed, epoch uint64, sample int, principal func(g *splitmix) float64) view.Params {
	w, _ := t.s.pool.Get().(*workspace)
	w.stream.Reset(seed, rng.Certify, epoch, uint64(sample), uint64(t.at))
	g := splitmix(w.stream.Uint64())
	t.s.pool.Put(w)
	d := drawn{step: t.at, spared: -1}
	d.v = principal(&g)
	d.key = splitmix(g.next())
	return t.s.params(&d)
}

// Draw draws from the whole declared range, whatever was promised there; always applied.
func (t *transformation) Draw(seed, epoch uint64, sample int) view.Params {
	ps := t.step.spec.Params[0]
	set := view.Set{Ranges: declaredRange(t.step), Integer: ps.Integer}
	return t.with(seed, epoch, sample, func(g *splitmix) float64 {
		v, _ := t.step.principal(g, &set)
		return min(max(v, set.Ranges[0].From), set.Ranges[0].To)
	})
}

// At gives the principal parameter at fraction f of the declared range.
func (t *transformation) At(f float64, seed uint64, sample int) view.Params {
	g := declaredRange(t.step)[0]
	v := g.Lerp(f)
	if t.step.spec.Params[0].Integer {
		v = math.Round(v)
	}
	if grid := t.step.grid; grid > 0 { // the nearest whole number of days or weeks inside
		if v = math.Round(v/grid) * grid; v < g.From {
			v += grid
		} else if v > g.To {
			v -= grid
		}
	}
	return t.AtValue(v, seed, sample)
}

func (t *transformation) AtValue(v float64, seed uint64, sample int) view.Params {
	return t.with(seed, 0, sample, func(*splitmix) float64 { return v })
}

// ViewRow writes the transformed row i of a part to dst: exactly, before it is encoded. A row that the transformation would
// make impossible keeps the cells that are to blame.
func (t *transformation) ViewRow(dst *Row, p domain.Part, i int, params view.Params) error {
	w, _ := t.s.pool.Get().(*workspace)
	defer t.s.pool.Put(w)
	if err := t.viewRow(w, p, i, params); err != nil {
		return err
	}
	CopyRow(dst, &w.row)
	return nil
}

func (t *transformation) viewRow(w *workspace, p domain.Part, i int, params view.Params) error {
	if err := t.s.samples.Row(p, i, &w.src); err != nil {
		return err
	}
	CopyRow(&w.row, &w.src)
	if !params.Applied {
		return nil
	}
	d, err := t.s.drawnOf(t.at, &params)
	if err != nil {
		return err
	}
	m := t.s.m
	m.apply(w, t.step, &d)
	if m.book.any {
		m.book.derive(&w.row, &w.src)
		if !m.book.possible(&w.row, &w.src) {
			m.book.repair(&w.row, &w.src, w.blame)
		}
	}
	return nil
}

// Fill writes the transformed row i of a part, encoded.
func (t *transformation) Fill(dst *domain.Array, row int, p domain.Part, i int, params view.Params) error {
	w, _ := t.s.pool.Get().(*workspace)
	defer t.s.pool.Put(w)
	n := t.s.m.enc.Size()
	if row < 0 || (row+1)*n > len(dst.F32) {
		return fmt.Errorf("table: row %d of %d values does not fit an array of %d", row, n, len(dst.F32))
	}
	if err := t.viewRow(w, p, i, params); err != nil {
		return err
	}
	t.s.m.enc.Put(dst.F32[row*n:(row+1)*n], &w.row)
	return nil
}

// Mask sets the elements of dst [cells] that a view replaces to 1 and the others to 0.
func (t *transformation) Mask(dst []uint8, params view.Params) {
	w, _ := t.s.pool.Get().(*workspace)
	defer t.s.pool.Put(w)
	if d, err := t.s.drawnOf(t.at, &params); err == nil && params.Applied {
		t.s.m.maskOf(dst, t.step, &d, w)
		return
	}
	clear(dst)
}

// Details lists the cells that the transformation writes into row i of a part under params, with the rows that they come from.
func (t *transformation) Details(p domain.Part, i int, params view.Params) ([]Change, error) {
	w := t.s.newWorkspace()
	w.trace = new([]Change)
	err := t.viewRow(w, p, i, params)
	return *w.trace, err
}

func declaredRange(s *step) []contract.Range {
	return []contract.Range{s.cfg.Params[s.spec.Params[0].Name]}
}

// RowTransformation is a transformation of rows that can be seen before it is encoded; those of a [Sampler] are.
type RowTransformation interface {
	domain.Transformation
	// ViewRow writes the transformed row i of a part to dst.
	ViewRow(dst *Row, p domain.Part, i int, params view.Params) error
	// Details lists the cells that are written, with their donors.
	Details(p domain.Part, i int, params view.Params) ([]Change, error)
}

var (
	_ RowTransformation = (*transformation)(nil)
	_ domain.Masked     = (*transformation)(nil)
)
