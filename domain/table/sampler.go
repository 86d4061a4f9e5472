package table

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

// Sampler makes the views of rows; it implements domain.Sampler.
//
// Fields, per sample and all of them rows as the encoder takes them, [cells, 2] of value and state: "views" [Views, cells, 2] for
// the Invariant stream; for the Equivariant stream of transformation t: "t.input", "t.clean" (the undisturbed row) and "t.target"
// (F32, scaled so that the Equivariant range becomes [-1, 1]); for the Restorable stream of t: "t.input", "t.clean" and
// "t.mask" [cells] (U8, 1 where a cell is to be restored). Where t has both streams, the fields of the second begin with
// "t.restore.".
//
// A view is a possible row: a drawn value that leaves the bounds of its column is drawn again, derived columns are computed
// anew, and a view that breaks a rule is drawn again as a whole, each at most view.Tries times. What
// cannot be had so keeps its original cells, see [Sampler.Counts].
type Sampler struct {
	samples    *Samples
	m          *maker
	count      int
	streams    []stream
	fields     []domain.Field
	transforms []domain.Transformation
	pool       sync.Pool // of *workspace
	counts     [3]atomic.Int64
	judges     [2]*judgement // of views; the second where cells may be masked
}

// Counts says how often views had to be made otherwise than drawn.
type Counts struct {
	Views   int64 // views made
	Redrawn int64 // whole views drawn again, because a rule between columns was broken
	Kept    int64 // cells, or transformations, that kept their original because no draw was possible
}

// Counts are those of all calls of Fill until now.
func (s *Sampler) Counts() Counts {
	return Counts{Views: s.counts[0].Load(), Redrawn: s.counts[1].Load(), Kept: s.counts[2].Load()}
}

// stream is a domain.Stream and how it is filled.
type stream struct {
	domain.Stream
	step                        int // of the maker; -1 for the Invariant stream
	key                         uint64
	input, target, clean, maskF int // places of the fields; -1: none
	mid, half                   float64
	rest                        float32 // the target of a row that the transformation leaves as it is
}

// Views of one sample have their own keys: Invariant views 0.., other streams above, and each time that a view is drawn again.
const (
	streamKey = 1 << 32
	retryKey  = 1 << 20
)

// Views returns the sampler of the recipe's transformations; the same one in every call.
func (s *Samples) Views() (domain.Sampler, error) { return s.sampler() }

func (s *Samples) sampler() (*Sampler, error) {
	s.views.Do(func() { s.viewsOf, s.viewsErr = NewSampler(s) })
	return s.viewsOf, s.viewsErr
}

// lazySampler is the part of Samples that holds their sampler.
type lazySampler struct {
	views    sync.Once
	viewsOf  *Sampler
	viewsErr error
}

// NewSampler compiles the transformations of the samples' recipe. Errors wrap view.ErrConfig.
func NewSampler(s *Samples) (*Sampler, error) {
	m, err := newMaker(s)
	if err != nil {
		return nil, err
	}
	out := &Sampler{samples: s, m: m, count: s.recipe.Views.Count}
	out.judges = [2]*judgement{m.judgementOf(m.steps, false), m.judgementOf(m.steps, true)}
	out.pool.New = func() any { return out.newWorkspace() }
	if err := out.declare(); err != nil {
		return nil, err
	}
	for k := range m.steps {
		out.transforms = append(out.transforms, &transformation{s: out, step: m.steps[k], at: k})
	}
	return out, nil
}

func weightOf(cs []*step, k contract.Kind) float64 {
	m := 0.0
	for _, s := range cs {
		for _, t := range s.cfg.Terms.Of(k) {
			m = max(m, t.Weight)
		}
	}
	if m == 0 {
		return 1
	}
	return m
}

// declare lays out streams and fields.
func (s *Sampler) declare() error {
	cells := len(s.m.enc.Cells)
	add := func(name string, t domain.DType, dims ...int) int {
		s.fields = append(s.fields, domain.Field{Name: name, DType: t, Dims: dims})
		return len(s.fields) - 1
	}
	none := stream{step: -1, input: -1, target: -1, clean: -1, maskF: -1}
	invariant := false
	for _, st := range s.m.steps {
		invariant = invariant || st.active()
	}
	if invariant && s.count > 0 {
		st := none
		st.Stream = domain.Stream{Kind: contract.Invariant, Name: "views", Weight: weightOf(s.m.steps, contract.Invariant), Views: s.count, Input: "views"}
		st.input = add("views", domain.F32, s.count, cells, 2)
		s.streams = append(s.streams, st)
	}
	for k, step := range s.m.steps {
		name, equi := step.cfg.Name, !step.equi.Empty()
		if equi {
			st := none
			st.step, st.key = k, uint64(k)+1
			st.Stream = domain.Stream{Kind: contract.Equivariant, Name: name, Weight: weightOf(s.m.steps[k:k+1], contract.Equivariant),
				Views: 1, Input: name + ".input", Target: name + ".target", Clean: name + ".clean"}
			hull := step.equi.Hull()
			if hull.Width() == 0 {
				return fmt.Errorf("table: %w: %s: the Equivariant range is the single value %g: nothing to predict", view.ErrConfig, name, hull.From)
			}
			st.input, st.clean, st.target = add(st.Input, domain.F32, cells, 2), add(st.Clean, domain.F32, cells, 2), add(st.Target, domain.F32)
			st.mid, st.half = hull.Lerp(0.5), hull.Width()/2
			st.rest = float32((min(max(step.spec.Identity, hull.From), hull.To) - st.mid) / st.half)
			s.streams = append(s.streams, st)
		}
		if !step.restore.Empty() {
			prefix := name
			if equi {
				prefix += ".restore"
			}
			st := none
			st.step, st.key = k, uint64(k)+1+1<<16
			st.Stream = domain.Stream{Kind: contract.Restorable, Name: name, Weight: weightOf(s.m.steps[k:k+1], contract.Restorable),
				Views: 1, Input: prefix + ".input", Clean: prefix + ".clean", Mask: prefix + ".mask"}
			st.input, st.clean, st.maskF = add(st.Input, domain.F32, cells, 2), add(st.Clean, domain.F32, cells, 2), add(st.Mask, domain.U8, cells)
			s.streams = append(s.streams, st)
		}
	}
	return nil
}

// Streams says which objectives the declared contracts feed.
func (s *Sampler) Streams() []domain.Stream {
	out := make([]domain.Stream, len(s.streams))
	for i, st := range s.streams {
		out[i] = st.Stream
	}
	return out
}

// Fields lists what Fill writes, in order.
func (s *Sampler) Fields() []domain.Field { return s.fields }

// Transforms lists the declared transformations in their order.
func (s *Sampler) Transforms() []domain.Transformation { return s.transforms }

// workspace is the memory of one worker.
type workspace struct {
	stream   *rng.Stream
	src, row Row
	perm     []int32
	donors   []int
	cells    []float64
	blame    []bool
	kept     int64
	redrawn  int64
	target   drawn     // of the last Equivariant or Restorable view
	hit      bool      // target was applied
	log      *[]drawn  // draws are recorded here where it is not nil
	trace    *[]Change // cells that transformations write are recorded here where it is not nil
}

// drawn is one draw of a step.
type drawn struct {
	step   int
	v      float64
	key    splitmix
	spared int32
}

func (s *Sampler) newWorkspace() *workspace {
	n := len(s.m.t.Columns)
	return &workspace{stream: rng.NewStream(), src: NewRow(n), row: NewRow(n), perm: make([]int32, n), donors: make([]int, n), cells: make([]float64, n), blame: make([]bool, n)}
}

// NewScratch returns the memory of one worker for Fill.
func (s *Sampler) NewScratch() any { return s.newWorkspace() }

var errScratch = errors.New("table: the scratch is not from NewScratch of this sampler")

// Fill draws and writes the views of training sample i; see domain.Sampler.
//
// The Invariant stream draws each transformation with its probability from its Invariant ranges only. An Equivariant stream
// draws the others in the same way, less those of the target's column, which row-wise ones spare, and then the target, always; where the
// cell is missing the target is that of no change. A Restorable stream damages the undisturbed row.
func (s *Sampler) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error {
	w, ok := scratch.(*workspace)
	if !ok || len(w.perm) != len(s.m.t.Columns) || len(dst) != len(s.fields) {
		return errScratch
	}
	if i < 0 || i >= len(s.m.train) {
		return fmt.Errorf("table: sample %d of a part that has %d", i, len(s.m.train))
	}
	s.m.read(i, &w.src)
	enc, size := s.m.enc, s.m.enc.Size()
	for k := range s.streams {
		st := &s.streams[k]
		for v := range st.Views {
			s.view(w, st, seed, epoch, i, v)
			at := (row*st.Views + v) * size
			enc.Put(dst[st.input].F32[at:at+size], &w.row)
		}
		if st.clean >= 0 {
			enc.Put(dst[st.clean].F32[row*size:(row+1)*size], &w.src)
		}
		switch st.Kind {
		case contract.Equivariant:
			t := st.rest
			if w.hit {
				t = float32((w.target.v - st.mid) / st.half)
			}
			dst[st.target].F32[row] = t
		case contract.Restorable:
			n := len(enc.Cells)
			s.m.maskOf(dst[st.maskF].U8[row*n:(row+1)*n], s.m.steps[st.step], &w.target, w)
		}
	}
	s.tally(w)
	return nil
}

func (s *Sampler) tally(w *workspace) {
	n := int64(0)
	for k := range s.streams {
		n += int64(s.streams[k].Views)
	}
	s.counts[0].Add(n)
	if w.redrawn > 0 {
		s.counts[1].Add(w.redrawn)
	}
	if w.kept > 0 {
		s.counts[2].Add(w.kept)
	}
	w.redrawn, w.kept = 0, 0
}

// view makes one view of w.src in w.row.
func (s *Sampler) view(w *workspace, st *stream, seed, epoch uint64, i, v int) {
	m := s.m
	for try := range view.Tries {
		w.stream.Reset(seed, rng.Views, epoch, uint64(i), uint64(v)+st.key*streamKey+uint64(try)*retryKey)
		g := splitmix(w.stream.Uint64())
		CopyRow(&w.row, &w.src)
		if w.log != nil {
			*w.log = (*w.log)[:0]
		}
		if w.trace != nil {
			*w.trace = (*w.trace)[:0]
		}
		kept := w.kept
		switch st.Kind {
		case contract.Invariant:
			for _, step := range m.steps {
				if step.active() {
					m.sometimes(w, &g, step, -1)
				}
			}
		case contract.Equivariant:
			target := m.steps[st.step]
			for _, step := range m.steps {
				if step.column != target.column && step.active() {
					m.sometimes(w, &g, step, int32(target.column))
				}
			}
			w.hit = m.there(&w.row, target.column) && m.draw(w, &g, target, &target.equi, -1)
		case contract.Restorable:
			step := m.steps[st.step]
			m.draw(w, &g, step, &step.restore, -1)
		}
		if !m.book.any {
			return
		}
		m.book.derive(&w.row, &w.src)
		if m.book.possible(&w.row, &w.src) {
			return
		}
		if try < view.Tries-1 {
			w.redrawn++
			w.kept = kept
		}
	}
	w.kept += m.book.repair(&w.row, &w.src, w.blame)
	if st.Kind == contract.Equivariant && w.hit && same(&w.row, &w.src, m.steps[st.step].column) {
		w.hit = false
		if w.log != nil {
			*w.log = (*w.log)[:len(*w.log)-1]
		}
	}
}

// active reports whether the transformation takes part in the Invariant stream.
func (s *step) active() bool { return s.threshold > 0 && !s.invariant.Empty() }

// sometimes draws a step with its probability.
func (m *maker) sometimes(w *workspace, g *splitmix, s *step, spared int32) {
	if s.threshold >= 1<<63 || g.next()>>1 < s.threshold {
		m.draw(w, g, s, &s.invariant, spared)
	}
}

// draw draws a step from the set of one contract and applies it to w.row; a draw that does not fit is tried again.
func (m *maker) draw(w *workspace, g *splitmix, s *step, set *view.Set, spared int32) bool {
	if s.op.moves() && !m.there(&w.row, s.column) {
		return false // nothing to calculate with
	}
	for range view.Tries {
		d := &w.target
		var ok bool
		if d.v, ok = s.principal(g, set); !ok {
			continue
		}
		d.spared = spared
		if s.op.keyed() {
			d.key = splitmix(g.next())
		}
		if m.apply(w, s, d) {
			if w.log != nil {
				d.step = s.at
				*w.log = append(*w.log, *d)
			}
			return true
		}
	}
	w.kept++
	return false
}

var (
	_ domain.Sampler  = (*Sampler)(nil)
	_ domain.Recorder = (*Sampler)(nil)
)
