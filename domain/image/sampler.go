package image

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Pixels points m at image i of a part, without copying; Samples.Pixels is one. The sampler only reads
// what m points at, gives the same m again for the next sample, and calls it from
// several goroutines at once, each with its own m. It must not allocate.
type Pixels func(p domain.Part, i int, m *Image) error

// Sampler makes the views of images; it implements domain.Sampler.
//
// Fields, per sample: "views" [Views, H, W, C] and "locals" [Locals, side, side, C] for the Invariant
// stream; for the Equivariant stream of transformation t: "t.input" [H, W, C] and
// "t.target" (I32 class, or F32 scaled so that the Equivariant range becomes [-1, 1]); for
// the Restorable stream of t: "t.input", "t.clean" [H, W, C] and "t.mask" [H, W, C] (U8, 1 where a value
// is to be restored). Where t has both streams, the fields of the second begin with "t.restore.".
type Sampler struct {
	in         domain.Field
	shape      Shape
	at         Pixels
	cfg        recipe.Views
	configs    []view.Config
	streams    []stream
	fields     []domain.Field
	transforms []domain.Transformation
	local      Shape
}

// stream is a domain.Stream and how it is filled.
type stream struct {
	domain.Stream
	step                                int // in the pipeline; -1 for the Invariant stream
	key                                 uint64
	input, locals, target, clean, maskF int // places of the fields; -1: none
	mid, half                           float64
}

// NewSampler checks the declared transformations against the samples' field (Dims [H, W, C], U8
// or U16) and returns their sampler. Errors wrap view.ErrConfig.
func NewSampler(cfg recipe.Views, in domain.Field, at Pixels) (*Sampler, error) {
	if len(in.Dims) != 3 || in.DType != domain.U8 && in.DType != domain.U16 {
		return nil, fmt.Errorf("image: %w: the input field has shape %v, want [H, W, C] of U8 or U16", view.ErrConfig, in.Dims)
	}
	s := &Sampler{in: in, at: at, cfg: cfg, shape: Shape{W: in.Dims[1], H: in.Dims[0], C: in.Dims[2], Bits: 8}}
	if in.DType == domain.U16 {
		s.shape.Bits = 16
	}
	s.local = s.shape
	if cfg.Locals > 0 {
		if cfg.LocalSize < 1 || cfg.LocalSize > 1<<14 {
			return nil, fmt.Errorf("image: %w: local_size is %d, want 1..%d", view.ErrConfig, cfg.LocalSize, 1<<14)
		}
		s.local.W, s.local.H = cfg.LocalSize, cfg.LocalSize
	}
	seen := map[string]int{}
	for _, c := range cfg.Transforms {
		t, err := NewTransform(c, s.shape)
		if err != nil {
			return nil, err
		}
		if err := squareOnly(t); err != nil {
			return nil, err
		}
		s.configs = append(s.configs, t.cfg)
	}
	sc, err := s.build()
	if err != nil {
		return nil, err
	}
	if err := s.declare(sc, seen); err != nil {
		return nil, err
	}
	for _, c := range s.configs {
		s.transforms = append(s.transforms, newTransformation(s, c))
	}
	return s, nil
}

// squareOnly refuses quarter turns that would change the shape of the field.
func squareOnly(t *Transform) error {
	if t.def.spec.Name != "quarter" || t.w == t.h {
		return nil
	}
	for _, c := range append([]contract.Range{t.ranges[0]}, rangesOf(t.cfg.Terms)...) {
		for v := math.Ceil(c.From); v <= c.To; v++ {
			if int(v)&1 == 1 {
				return fmt.Errorf("image: %w: quarter turns need square pictures, these are %dx%d (height x width); declare turns 0 or 2, or give data.size", view.ErrConfig, t.h, t.w)
			}
		}
	}
	return nil
}

func rangesOf(ts contract.Terms) []contract.Range {
	var out []contract.Range
	for _, t := range ts {
		if t.Kind != contract.Protected {
			out = append(out, t.Range)
		}
	}
	return out
}

// workspace is the memory of one worker.
type workspace struct {
	pipe, locals *view.Pipeline[Image]
	ps, localPs  []view.Params
	stream       *rng.Stream
	src, dst     Image
}

func (s *Sampler) build() (*workspace, error) {
	w := &workspace{stream: rng.NewStream(), ps: make([]view.Params, len(s.configs))}
	copyTo := func(dst, src *Image) { dst.CopyFrom(src) }
	make1 := func(c view.Config, in, out Shape) (view.Step[Image], error) {
		t, err := NewTransform(c, in)
		if err != nil {
			return view.Step[Image]{}, err
		}
		t.outW, t.outH = out.W, out.H
		return view.NewStep[Image](t, c)
	}
	var steps []view.Step[Image]
	for _, c := range s.configs {
		st, err := make1(c, s.shape, s.shape)
		if err != nil {
			return nil, err
		}
		steps = append(steps, st)
	}
	w.pipe = view.NewPipeline(steps, copyTo, keepFor)
	if s.cfg.Locals == 0 {
		return w, nil
	}
	// Local views: the declared transformations with a crop of their own, the first of all where none is declared.
	crop := view.Config{Name: "crop", Params: map[string]contract.Range{"scale": {From: s.cfg.LocalFrom, To: s.cfg.LocalTo}}}
	configs := slices.Clone(s.configs)
	k := slices.IndexFunc(configs, func(c view.Config) bool { return c.Name == "crop" })
	if k < 0 {
		configs, k = append([]view.Config{crop}, configs...), 0
	} else {
		crop.Params["ratio"] = configs[k].Params["ratio"]
		configs[k] = crop
	}
	configs[k].P = 1 // always: it gives the view its size
	steps = nil
	for i, c := range configs {
		in, out := s.shape, s.shape
		if i >= k {
			out = s.local
		}
		if i > k {
			in = s.local
		}
		st, err := make1(c, in, out)
		if err != nil {
			return nil, fmt.Errorf("local views: %w", err)
		}
		steps = append(steps, st)
	}
	w.locals = view.NewPipeline(steps, copyTo, keepFor)
	w.localPs = make([]view.Params, len(steps))
	return w, nil
}

// declare lays out streams and fields.
func (s *Sampler) declare(w *workspace, seen map[string]int) error {
	add := func(name string, t domain.DType, dims ...int) int {
		s.fields = append(s.fields, domain.Field{Name: name, DType: t, Dims: dims})
		return len(s.fields) - 1
	}
	none := stream{step: -1, input: -1, locals: -1, target: -1, clean: -1, maskF: -1}
	weight := func(c view.Config, k contract.Kind) float64 {
		m := 0.0
		for _, t := range c.Terms.Of(k) {
			m = max(m, t.Weight)
		}
		if m == 0 {
			return 1
		}
		return m
	}
	invariant := false
	for _, st := range w.pipe.Steps {
		invariant = invariant || !st.Invariant.Empty() && st.Config.P > 0
	}
	dims := []int{s.shape.H, s.shape.W, s.shape.C}
	if invariant && s.cfg.Count > 0 {
		st := none
		m := 0.0
		for _, c := range s.configs {
			for _, t := range c.Terms.Of(contract.Invariant) {
				m = max(m, t.Weight)
			}
		}
		if m == 0 {
			m = 1
		}
		st.Stream = domain.Stream{Kind: contract.Invariant, Name: "views", Weight: m, Views: s.cfg.Count, Input: "views"}
		st.input = add("views", s.in.DType, append([]int{s.cfg.Count}, dims...)...)
		if s.cfg.Locals > 0 {
			st.Locals = "locals"
			st.locals = add("locals", s.in.DType, s.cfg.Locals, s.local.H, s.local.W, s.shape.C)
		}
		s.streams = append(s.streams, st)
	}
	for k := range w.pipe.Steps {
		step := &w.pipe.Steps[k]
		spec, name := step.Transform.Spec(), step.Config.Name
		seen[name]++
		if n := seen[name]; n > 1 { // the same transformation declared again
			name = fmt.Sprintf("%s%d", name, n)
			if _, taken := defOf(name); taken {
				name = fmt.Sprintf("%s-%d", step.Config.Name, n)
			}
		}
		equi := step.Config.Terms.Has(contract.Equivariant)
		if equi {
			st := none
			st.step, st.key = k, uint64(k)+1
			st.Stream = domain.Stream{Kind: contract.Equivariant, Name: name, Weight: weight(step.Config, contract.Equivariant),
				Views: 1, Classes: spec.Classes, Input: name + ".input", Target: name + ".target"}
			st.input = add(st.Input, s.in.DType, dims...)
			hull := step.Equi.Hull()
			if hull.Width() == 0 {
				return fmt.Errorf("image: %w: %s: the Equivariant range is the single value %g: nothing to predict", view.ErrConfig, name, hull.From)
			}
			if spec.Classes > 0 {
				st.target = add(st.Target, domain.I32)
			} else {
				st.target = add(st.Target, domain.F32)
				st.mid, st.half = hull.Lerp(0.5), hull.Width()/2
			}
			s.streams = append(s.streams, st)
		}
		if step.Config.Terms.Has(contract.Restorable) {
			prefix := name
			if equi {
				prefix += ".restore"
			}
			st := none
			st.step, st.key = k, uint64(k)+1+1<<16
			st.Stream = domain.Stream{Kind: contract.Restorable, Name: name, Weight: weight(step.Config, contract.Restorable),
				Views: 1, Input: prefix + ".input", Clean: prefix + ".clean", Mask: prefix + ".mask"}
			st.input = add(st.Input, s.in.DType, dims...)
			st.clean = add(st.Clean, s.in.DType, dims...)
			st.maskF = add(st.Mask, domain.U8, dims...)
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

// NewScratch returns the memory of one worker for Fill.
func (s *Sampler) NewScratch() any {
	w, err := s.build()
	if err != nil {
		return err // unreachable: NewSampler built the same; Fill reports it all the same
	}
	return w
}

// wrap points m at n values of a from element off on, without room to grow into the next row.
func (m *Image) wrap(a *domain.Array, off int, sh Shape) {
	n := sh.W * sh.H * sh.C
	m.W, m.H, m.C, m.Bits = sh.W, sh.H, sh.C, sh.Bits
	if sh.Bits == 16 {
		m.Pix, m.Pix16 = nil, a.U16[off:off+n:off+n]
		return
	}
	m.Pix, m.Pix16 = a.U8[off:off+n:off+n], nil
}

func (s *Sampler) source(m *Image, p domain.Part, i int) error {
	if err := s.at(p, i, m); err != nil {
		return fmt.Errorf("image: sample %d: %w", i, err)
	}
	if sh := s.shape; m.W != sh.W || m.H != sh.H || m.C != sh.C || m.Bits != sh.Bits {
		return fmt.Errorf("image: sample %d is %dx%dx%d of %d bits, want %dx%dx%d of %d", i, m.H, m.W, m.C, m.Bits, sh.H, sh.W, sh.C, sh.Bits)
	}
	return nil
}

var errScratch = errors.New("image: the scratch is not from NewScratch of this sampler")

// Views of one sample have their own keys: Invariant views 0.., local views from 1<<20, the other streams above.
const (
	localKey  = 1 << 20
	streamKey = 1 << 32
)

// Fill draws and writes the views of training sample i; see domain.Sampler.
//
// The Invariant stream draws each transformation with its probability from its Invariant ranges
// only. An Equivariant stream draws the other transformations in the same way, less those of the target's own
// kind, and then the target, always. A Restorable stream applies the damage to the undisturbed sample.
func (s *Sampler) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error {
	w, ok := scratch.(*workspace)
	if !ok || len(w.ps) != len(s.configs) || len(dst) != len(s.fields) {
		return errScratch
	}
	if err := s.source(&w.src, domain.Train, i); err != nil {
		return err
	}
	size := s.in.Size()
	for k := range s.streams {
		st := &s.streams[k]
		switch st.Kind {
		case contract.Invariant:
			for v := range st.Views {
				w.stream.Reset(seed, rng.Views, epoch, uint64(i), uint64(v))
				w.pipe.DrawInvariant(w.stream.Rand, w.ps)
				w.dst.wrap(&dst[st.input], (row*st.Views+v)*size, s.shape)
				w.pipe.Apply(&w.dst, &w.src, w.ps, -1)
			}
			if st.locals < 0 {
				continue
			}
			n := s.fields[st.locals].Size() / s.cfg.Locals
			for v := range s.cfg.Locals {
				w.stream.Reset(seed, rng.Views, epoch, uint64(i), localKey+uint64(v))
				w.locals.DrawInvariant(w.stream.Rand, w.localPs)
				w.dst.wrap(&dst[st.locals], (row*s.cfg.Locals+v)*n, s.local)
				w.locals.Apply(&w.dst, &w.src, w.localPs, -1)
			}
		case contract.Equivariant:
			w.stream.Reset(seed, rng.Views, epoch, uint64(i), st.key*streamKey)
			w.pipe.DrawEquivariant(w.stream.Rand, st.step, w.ps)
			w.dst.wrap(&dst[st.input], row*size, s.shape)
			w.pipe.Apply(&w.dst, &w.src, w.ps, st.step)
			if v := w.ps[st.step].V[0]; st.Classes > 0 {
				dst[st.target].I32[row] = int32(v)
			} else {
				dst[st.target].F32[row] = float32((v - st.mid) / st.half)
			}
		case contract.Restorable:
			w.stream.Reset(seed, rng.Views, epoch, uint64(i), st.key*streamKey)
			p := &w.ps[st.step]
			w.pipe.DrawRestorable(w.stream.Rand, st.step, p)
			t := w.pipe.Steps[st.step].Transform
			w.dst.wrap(&dst[st.clean], row*size, s.shape)
			w.dst.CopyFrom(&w.src)
			w.dst.wrap(&dst[st.input], row*size, s.shape)
			t.Apply(&w.dst, &w.src, p)
			t.(*Transform).MaskOf(dst[st.maskF].U8[row*size:(row+1)*size], p)
		}
	}
	return nil
}

// transformation is one declared transformation for stages that do not know images.
type transformation struct {
	s    *Sampler
	cfg  view.Config
	spec view.Spec
	pool sync.Pool // of *held
}

type held struct {
	t        *Transform
	stream   *rng.Stream
	src, dst Image
}

func newTransformation(s *Sampler, c view.Config) *transformation {
	t := &transformation{s: s, cfg: c}
	d, _ := defOf(c.Name)
	t.spec = d.spec
	t.pool.New = func() any {
		x, err := NewTransform(c, s.shape)
		if err != nil {
			return err
		}
		return &held{t: x, stream: rng.NewStream()}
	}
	return t
}

func (t *transformation) Spec() view.Spec     { return t.spec }
func (t *transformation) Config() view.Config { return t.cfg }

func (t *transformation) with(seed, epoch uint64, sample int, draw func(h *held, p *view.Params)) (p view.Params) {
	if h, ok := t.pool.Get().(*held); ok {
		h.stream.Reset(seed, rng.Certify, epoch, uint64(sample), 0)
		draw(h, &p)
		t.pool.Put(h)
	}
	return p
}

// Draw draws from the whole declared range, whatever was promised there; always applied.
func (t *transformation) Draw(seed, epoch uint64, sample int) view.Params {
	return t.with(seed, epoch, sample, func(h *held, p *view.Params) { h.t.Draw(h.stream.Rand, p) })
}

func (t *transformation) At(f float64, seed uint64, sample int) view.Params {
	ps := t.spec.Params[0]
	v := t.cfg.Params[ps.Name].Lerp(f)
	if ps.Integer {
		v = math.Round(v)
	}
	return t.AtValue(v, seed, sample)
}

func (t *transformation) AtValue(v float64, seed uint64, sample int) view.Params {
	return t.with(seed, 0, sample, func(h *held, p *view.Params) {
		for range view.Tries {
			if h.t.DrawAt(h.stream.Rand, v, p) {
				break
			}
		}
		p.Applied = true
	})
}

func (t *transformation) Fill(dst *domain.Array, row int, p domain.Part, i int, params view.Params) error {
	h, ok := t.pool.Get().(*held)
	if !ok {
		return errScratch
	}
	defer t.pool.Put(h)
	if err := t.s.source(&h.src, p, i); err != nil {
		return err
	}
	return t.apply(h, dst, row, &params)
}

// Mask sets the elements of dst [H, W, C] that a view replaces to 1 and the others to 0.
func (t *transformation) Mask(dst []uint8, params view.Params) {
	if h, ok := t.pool.Get().(*held); ok {
		h.t.MaskOf(dst, &params)
		t.pool.Put(h)
	}
}

func (t *transformation) apply(h *held, dst *domain.Array, row int, p *view.Params) error {
	h.dst.wrap(dst, row*t.s.in.Size(), t.s.shape)
	h.t.Apply(&h.dst, &h.src, p)
	return nil
}

var (
	_ domain.Sampler         = (*Sampler)(nil)
	_ domain.Transformation  = (*transformation)(nil)
	_ view.Parametric[Image] = (*Transform)(nil)
	_ view.Masker            = (*Transform)(nil)
)
