package domaintest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Width is the number of values of a Fake sample.
const Width = 8

// Vec is a sample of the fake domain: Width values, mostly in [-2, 2].
type Vec [Width]float32

// Fake is a small domain of vectors for tests of the stages: each class has a centre, each sample its own
// noise around it. Every field may be set before use; functions that are nil have defaults.
type Fake struct {
	Recipe     *recipe.Recipe
	Count      [3]int // samples of a part
	ClassNames []string
	Y          [3][]int32 // labels of a part; nil: none
	X          [3][]Vec
	Transforms []*Change
	Enc        domain.Encoder // default: Net{Out: 16}
	Beside     bool           // Equivariant streams have the undisturbed sample beside the view
	// OnLabels is told of every reading of labels.
	OnLabels func(p domain.Part)
	// OnFill is told of every reading of a sample, one at a time.
	OnFill func(p domain.Part, i int)
	mu     sync.Mutex
}

func (f *Fake) read(p domain.Part, i int) {
	if f.OnFill != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.OnFill(p, i)
	}
}

// NewFake returns n samples a part with classes in turn, keyed by the recipe's seed.
func NewFake(r *recipe.Recipe, classes int, n [3]int, changes ...*Change) *Fake {
	f := &Fake{Recipe: r, Count: n, Transforms: changes}
	for c := range classes {
		f.ClassNames = append(f.ClassNames, fmt.Sprintf("class%d", c))
	}
	for p := range n {
		for i := range n[p] {
			c := i % max(classes, 1)
			g := rng.New(r.Seed, rng.Split, uint64(p), uint64(i))
			centre := rng.New(r.Seed, rng.Split, 99, uint64(c))
			var v Vec
			for k := range v {
				v[k] = float32(1.5*centre.NormFloat64() + 0.3*g.NormFloat64())
			}
			f.X[p] = append(f.X[p], v)
			if classes > 0 {
				f.Y[p] = append(f.Y[p], int32(c))
			}
		}
	}
	return f
}

// Len is the number of samples in a part.
func (f *Fake) Len(p domain.Part) int { return f.Count[p] }

// Labels returns the classes of a part.
func (f *Fake) Labels(p domain.Part) []int32 {
	if f.OnLabels != nil {
		f.OnLabels(p)
	}
	return f.Y[p]
}

// Classes names the classes.
func (f *Fake) Classes() []string { return f.ClassNames }

// Input is the field of a vector.
func (f *Fake) Input() domain.Field {
	return domain.Field{Name: "vector", DType: domain.F32, Dims: []int{Width}}
}

// Fill writes a sample.
func (f *Fake) Fill(dst *domain.Array, row int, p domain.Part, i int) error {
	if i < 0 || i >= f.Count[p] {
		return fmt.Errorf("domaintest: sample %d of part %d, which has %d", i, p, f.Count[p])
	}
	f.read(p, i)
	copy(dst.F32[row*Width:(row+1)*Width], f.X[p][i][:])
	return nil
}

// Hash is a constant: nothing here depends on it.
func (f *Fake) Hash() string { return "fake" }

// Close does nothing.
func (f *Fake) Close() error { return nil }

// Encoder returns Enc.
func (f *Fake) Encoder() (domain.Encoder, error) {
	if f.Enc == nil {
		return Net{Out: 16}, nil
	}
	return f.Enc, nil
}

// Change is a transformation of vectors made of functions. It implements view.Parametric[Vec].
type Change struct {
	S view.Spec
	C view.Config
	// Also draws what is recorded behind the parameters; may be nil.
	Also func(r *rand.Rand, p *view.Params)
	// Do writes the view.
	Do func(dst, src *Vec, p *view.Params)
	// Masked says which values Do replaces; may be nil.
	Masked func(dst []uint8, p *view.Params)
}

// NewChange returns a transformation with one parameter "amount" in from..to, identity 0 and one term of
// kind over the whole range.
func NewChange(name string, kind contract.Kind, from, to float64, do func(dst, src *Vec, p *view.Params)) *Change {
	r := contract.Range{From: from, To: to}
	return &Change{
		S:  view.Spec{Name: name, P: 1, Kinds: []contract.Kind{kind}, Params: []view.ParamSpec{{Name: "amount", Unit: "units", Min: min(from, 0) - 10, Max: max(to, 0) + 10, Default: r}}},
		C:  view.Config{Name: name, P: 1, Params: map[string]contract.Range{"amount": r}, Terms: contract.Terms{{Kind: kind, Range: r}}},
		Do: do,
	}
}

// Noise adds independent uniform noise of a standard deviation 0..sigma to every value: harmless.
func Noise(sigma float64) *Change {
	c := NewChange("noise", contract.Invariant, 0, sigma, func(dst, src *Vec, p *view.Params) {
		x := uint64(p.V[1])
		for k := range dst { // splitmix64, which needs no memory
			x += 0x9e3779b97f4a7c15
			z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			dst[k] = src[k] + float32(p.V[0]*math.Sqrt(12)*(float64((z^z>>31)>>11)/(1<<53)-0.5))
		}
	})
	c.Also = func(r *rand.Rand, p *view.Params) { p.V[p.N] = float64(r.Uint64() >> 11); p.N++ }
	return c
}

// Roll turns the values around by 0, 2, 4 or 6 places: what a quarter turn is to pictures.
func Roll() *Change {
	c := NewChange("roll", contract.Equivariant, 0, 3, func(dst, src *Vec, p *view.Params) {
		for k := range dst {
			dst[(k+2*int(p.V[0]))%Width] = src[k]
		}
	})
	c.S.Classes, c.S.Params[0].Integer = 4, true
	return c
}

// Lift adds its parameter to every value: Equivariant, with a parameter that is no class.
func Lift(from, to float64) *Change {
	return NewChange("lift", contract.Equivariant, from, to, func(dst, src *Vec, p *view.Params) {
		for k := range dst {
			dst[k] = src[k] + float32(p.V[0])
		}
	})
}

// Hide replaces the first values by zero, as many as its parameter says: Restorable.
func Hide(most int) *Change {
	c := NewChange("hide", contract.Restorable, 1, float64(most), func(dst, src *Vec, p *view.Params) {
		*dst = *src
		clear(dst[:int(p.V[0])])
	})
	c.S.Params[0].Integer = true
	c.Masked = func(dst []uint8, p *view.Params) {
		clear(dst)
		for k := range int(p.V[0]) {
			dst[k] = 1
		}
	}
	return c
}

// Spec describes the transformation.
func (c *Change) Spec() view.Spec { return c.S }

// Draw draws from the declared range.
func (c *Change) Draw(r *rand.Rand, p *view.Params) {
	ps := c.S.Params[0]
	c.DrawAt(r, view.Uniform(r, c.C.Params[ps.Name], ps.Integer), p)
}

// DrawAt draws with the parameter given.
func (c *Change) DrawAt(r *rand.Rand, v float64, p *view.Params) bool {
	*p = view.Params{N: 1, Applied: true}
	p.V[0] = v
	if c.Also != nil {
		c.Also(r, p)
	}
	return true
}

// Apply writes the view.
func (c *Change) Apply(dst, src *Vec, p *view.Params) { c.Do(dst, src, p) }

// Views returns the sampler of Transforms: one Invariant stream of two views, an Equivariant and a Restorable
// one for each transformation with such a term.
func (f *Fake) Views() (domain.Sampler, error) {
	s := &sampler{f: f}
	for _, c := range f.Transforms {
		if _, err := view.NewStep[Vec](c, c.C); err != nil {
			return nil, err
		}
	}
	w := s.NewScratch().(*worker)
	add := func(name string, t domain.DType, dims ...int) string {
		s.fields = append(s.fields, domain.Field{Name: name, DType: t, Dims: dims})
		return name
	}
	if slices.ContainsFunc(w.pipe.Steps, func(st view.Step[Vec]) bool { return !st.Invariant.Empty() }) {
		s.add(-1, domain.Stream{Kind: contract.Invariant, Name: "views", Weight: 1, Views: 2, Input: add("views", domain.F32, 2, Width)})
	}
	for k, st := range w.pipe.Steps {
		name := st.Config.Name
		if !st.Equi.Empty() {
			x := domain.Stream{Kind: contract.Equivariant, Name: name, Weight: 1, Views: 1, Classes: st.Transform.Spec().Classes, Input: add(name+".input", domain.F32, Width)}
			if x.Classes > 0 {
				x.Target = add(name+".target", domain.I32)
			} else {
				x.Target = add(name+".target", domain.F32)
			}
			if f.Beside {
				x.Clean = add(name+".clean", domain.F32, Width)
			}
			s.add(k, x)
		}
		if !st.Restore.Empty() {
			s.add(k, domain.Stream{Kind: contract.Restorable, Name: name, Weight: 1, Views: 1, Input: add(name+".r.input", domain.F32, Width),
				Clean: add(name+".r.clean", domain.F32, Width), Mask: add(name+".r.mask", domain.U8, Width)})
		}
	}
	return s, nil
}

type sampler struct {
	f       *Fake
	streams []domain.Stream
	steps   []int // of the stream
	fields  []domain.Field
}

func (s *sampler) add(step int, st domain.Stream) {
	s.streams, s.steps = append(s.streams, st), append(s.steps, step)
}

type worker struct {
	pipe     *view.Pipeline[Vec]
	ps       []view.Params
	stream   *rng.Stream
	src, dst Vec
}

func (s *sampler) Streams() []domain.Stream { return s.streams }
func (s *sampler) Fields() []domain.Field   { return s.fields }

func (s *sampler) NewScratch() any {
	w := &worker{stream: rng.NewStream(), ps: make([]view.Params, len(s.f.Transforms))}
	var steps []view.Step[Vec]
	for _, c := range s.f.Transforms {
		st, _ := view.NewStep[Vec](c, c.C) // checked by Views
		steps = append(steps, st)
	}
	w.pipe = view.NewPipeline(steps, func(dst, src *Vec) { *dst = *src }, nil)
	return w
}

// draw draws view v of stream k, and returns the step that comes last.
func (s *sampler) draw(w *worker, k, v int, seed, epoch uint64, i int) int {
	w.stream.Reset(seed, rng.Views, epoch, uint64(i), uint64(k<<8+v))
	clear(w.ps)
	switch s.streams[k].Kind {
	case contract.Invariant:
		w.pipe.DrawInvariant(w.stream.Rand, w.ps)
	case contract.Equivariant:
		w.pipe.DrawEquivariant(w.stream.Rand, s.steps[k], w.ps)
	default:
		w.pipe.DrawRestorable(w.stream.Rand, s.steps[k], &w.ps[s.steps[k]])
	}
	return s.steps[k]
}

func (s *sampler) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error {
	w := scratch.(*worker)
	w.src = s.f.X[domain.Train][i]
	s.f.read(domain.Train, i)
	at := func(name string) *domain.Array {
		for k := range s.fields {
			if s.fields[k].Name == name {
				return &dst[k]
			}
		}
		return nil
	}
	for k := range s.streams {
		st := &s.streams[k]
		for v := range st.Views {
			last := s.draw(w, k, v, seed, epoch, i)
			w.pipe.Apply(&w.dst, &w.src, w.ps, last)
			copy(at(st.Input).F32[(row*st.Views+v)*Width:], w.dst[:])
			switch st.Kind {
			case contract.Equivariant:
				if st.Clean != "" {
					copy(at(st.Clean).F32[row*Width:], w.src[:])
				}
				if x := w.ps[last].V[0]; st.Classes > 0 {
					at(st.Target).I32[row] = int32(x)
				} else {
					h := w.pipe.Steps[last].Equi.Hull()
					at(st.Target).F32[row] = float32((x - h.Lerp(0.5)) / (h.Width() / 2))
				}
			case contract.Restorable:
				copy(at(st.Clean).F32[row*Width:], w.src[:])
				s.f.Transforms[last].Masked(at(st.Mask).U8[row*Width:(row+1)*Width], &w.ps[last])
			}
		}
	}
	return nil
}

// Drawn records what Fill draws.
func (s *sampler) Drawn(seed, epoch uint64, i int) []domain.Draw {
	w := s.NewScratch().(*worker)
	var out []domain.Draw
	for k, st := range s.streams {
		for v := range st.Views {
			s.draw(w, k, v, seed, epoch, i)
			for j, p := range w.ps {
				if p.Applied {
					out = append(out, domain.Draw{Stream: st.Name, View: v, Transform: s.f.Transforms[j].C.Name, Params: p})
				}
			}
		}
	}
	return out
}

func (s *sampler) Transforms() []domain.Transformation {
	var out []domain.Transformation
	for _, c := range s.f.Transforms {
		t := transformation{s.f, c}
		if c.Masked != nil {
			out = append(out, masked{t})
		} else {
			out = append(out, t)
		}
	}
	return out
}

type transformation struct {
	f *Fake
	c *Change
}

func (t transformation) Spec() view.Spec     { return t.c.S }
func (t transformation) Config() view.Config { return t.c.C }

func (t transformation) Draw(seed, epoch uint64, sample int) (p view.Params) {
	t.c.Draw(rng.New(seed, rng.Certify, epoch, uint64(sample)), &p)
	return p
}

func (t transformation) At(at float64, seed uint64, sample int) view.Params {
	return t.AtValue(t.c.C.Params[t.c.S.Params[0].Name].Lerp(at), seed, sample)
}

func (t transformation) AtValue(v float64, seed uint64, sample int) (p view.Params) {
	t.c.DrawAt(rng.New(seed, rng.Certify, 0, uint64(sample)), v, &p)
	return p
}

func (t transformation) Fill(dst *domain.Array, row int, p domain.Part, i int, params view.Params) error {
	var v Vec
	src := t.f.X[p][i]
	t.c.Do(&v, &src, &params)
	copy(dst.F32[row*Width:(row+1)*Width], v[:])
	return nil
}

type masked struct{ transformation }

func (m masked) Mask(dst []uint8, p view.Params) { m.c.Masked(dst, &p) }

// Net is a linear map with batch norm and ReLU, and a linear restorer.
type Net struct{ Out int }

// Dim is Out.
func (n Net) Dim() int { return n.Out }

// Encode maps [batch, Width] to [batch, Out].
func (n Net) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	return domain.Features{Pooled: s.Linear("out", s.BatchNormReLU("norm", s.Linear("in", x, 2*n.Out, true), nil), n.Out, true)}
}

// Restore is the mean squared error of a linear map over the hidden values; trivial answers 0.
func (n Net) Restore(s *nn.Scope, f domain.Features, clean, mask *graph.Node) (loss, trivial *graph.Node) {
	return hidden(graph.Sub(s.Linear("out", f.Pooled, Width, true), clean), mask), hidden(clean, mask)
}

// hidden is the mean square of the masked values of each sample.
func hidden(e, mask *graph.Node) *graph.Node {
	w := graph.ConvertDType(mask, dtypes.Float32)
	return graph.Div(graph.ReduceSum(graph.Mul(w, graph.Square(e)), -1), graph.MaxScalar(graph.ReduceSum(w, -1), 1))
}

// Same is an encoder whose weights can be made by hand: features are the values, times "scale" (starts at 1),
// plus "shift" (starts at 0). It restores a hidden value by "guess" (starts at 0); trivial answers 0.
type Same struct{}

// Dim is Width.
func (Same) Dim() int { return Width }

func row(x, like *graph.Node) *graph.Node {
	return graph.BroadcastToDims(graph.Reshape(x, 1, Width), like.Shape().Dimensions...)
}

// Encode returns x*scale + shift.
func (Same) Encode(s *nn.Scope, x *graph.Node) domain.Features {
	y := graph.Mul(x, row(s.Param("scale", nn.Weight, nn.Ones, Width), x))
	return domain.Features{Pooled: graph.Add(y, row(s.Param("shift", nn.Bias, nn.Zeros, Width), x))}
}

// Restore is the mean squared error of "guess" over the hidden values.
func (Same) Restore(s *nn.Scope, f domain.Features, clean, mask *graph.Node) (loss, trivial *graph.Node) {
	y := row(s.Param("guess", nn.Bias, nn.Zeros, Width), clean)
	return hidden(graph.Sub(y, clean), mask), hidden(clean, mask)
}

var (
	_ domain.Samples       = (*Fake)(nil)
	_ domain.Recorder      = (*sampler)(nil)
	_ domain.Masked        = masked{}
	_ domain.Restorer      = Net{}
	_ domain.Restorer      = Same{}
	_ view.Parametric[Vec] = (*Change)(nil)
)
