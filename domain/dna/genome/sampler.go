package genome

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

// Sampler makes the views of windows; it implements domain.Sampler.
//
// There is one stream, Restorable, of the transformation "next": "next.input" [size] (U8) are the tokens Begin, b1, ..., b(size-1),
// "next.clean" [size] (U8) the bases b1, ..., b(size), and "next.mask" [size] (U8) is 1 where the base is
// to be predicted: where it is known and, as the recipe says, not soft-masked. Nothing else leaves a sampler, and it holds nothing else: no
// name, no label.
type Sampler struct {
	cfg        view.Config
	set        view.Set
	parts      [3]*part
	fields     []domain.Field
	stream     domain.Stream
	transforms []domain.Transformation
}

// The places of the fields.
const (
	fieldInput = iota
	fieldClean
	fieldMask
)

func newSampler(cfg view.Config, set view.Set, parts [3]*part) *Sampler {
	dims := []int{parts[domain.Train].window}
	out := &Sampler{cfg: cfg, set: set, parts: parts}
	out.fields = []domain.Field{
		fieldInput: {Name: Next + ".input", DType: domain.U8, Dims: dims},
		fieldClean: {Name: Next + ".clean", DType: domain.U8, Dims: dims},
		fieldMask:  {Name: Next + ".mask", DType: domain.U8, Dims: dims},
	}
	weight := 0.0
	for _, t := range cfg.Terms.Of(contract.Restorable) {
		weight = max(weight, t.Weight)
	}
	if weight == 0 {
		weight = 1
	}
	out.stream = domain.Stream{Kind: contract.Restorable, Name: Next, Weight: weight, Views: 1,
		Input: out.fields[fieldInput].Name, Clean: out.fields[fieldClean].Name, Mask: out.fields[fieldMask].Name}
	out.transforms = []domain.Transformation{&transformation{out}}
	return out
}

// Streams is the one Restorable stream.
func (s *Sampler) Streams() []domain.Stream { return []domain.Stream{s.stream} }

// Fields lists what Fill writes, in order.
func (s *Sampler) Fields() []domain.Field { return s.fields }

// Transforms is next.
func (s *Sampler) Transforms() []domain.Transformation { return s.transforms }

// NewScratch returns the memory of one worker for Fill.
func (s *Sampler) NewScratch() any { return rng.NewStream() }

var errScratch = errors.New("genome: the scratch is not from NewScratch of this sampler")

// draw fills p: the strand, and how far the window moves.
func (s *Sampler) draw(r *rand.Rand, strand float64, p *view.Params) {
	p.N, p.Applied = paramShift+1, s.cfg.P >= 1 || r.Float64() < s.cfg.P
	p.V[paramStrand], p.V[paramShift] = strand, r.Float64()
}

func (s *Sampler) params(r *rng.Stream, seed, epoch uint64, i int, p *view.Params) {
	r.Reset(seed, rng.Views, epoch, uint64(i), 0)
	s.draw(r.Rand, s.set.Draw(r.Rand), p)
}

// at finds the window of sample i under params.
func (p *part) at(i int, params *view.Params) (s *share, at int, back bool) {
	if !params.Applied {
		s, at = p.place(i, 0)
		return s, at, false
	}
	s, at = p.place(i, params.V[paramShift])
	return s, at, params.V[paramStrand] >= 0.5
}

// view writes the tokens of sample i under params to row `row` of dst.
func (p *part) view(dst []uint8, row, i int, params *view.Params) error {
	if err := check(p, i, row, len(dst)); err != nil {
		return err
	}
	s, at, back := p.at(i, params)
	p.fill(dst[row*p.window:(row+1)*p.window], s, at, back)
	return nil
}

// target writes what is to be predicted in sample i under params.
func (p *part) target(clean, mask []uint8, row, i int, params *view.Params) error {
	if err := check(p, i, row, min(len(clean), len(mask))); err != nil {
		return err
	}
	s, at, back := p.at(i, params)
	p.truth(clean[row*p.window:(row+1)*p.window], mask[row*p.window:(row+1)*p.window], s, at, back)
	return nil
}

// Fill draws and writes the view of training sample i; see domain.Sampler.
func (s *Sampler) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error {
	r, ok := scratch.(*rng.Stream)
	if !ok || len(dst) != len(s.fields) {
		return errScratch
	}
	var p view.Params
	s.params(r, seed, epoch, i, &p)
	train := s.parts[domain.Train]
	if err := train.view(dst[fieldInput].U8, row, i, &p); err != nil {
		return err
	}
	return train.target(dst[fieldClean].U8, dst[fieldMask].U8, row, i, &p)
}

// Drawn returns the draw with which Fill makes the view of training sample i.
func (s *Sampler) Drawn(seed, epoch uint64, i int) []domain.Draw {
	var p view.Params
	s.params(rng.NewStream(), seed, epoch, i, &p)
	return []domain.Draw{{Stream: Next, Transform: Next, Params: p}}
}

// transformation is next for stages that do not know genomes.
type transformation struct{ s *Sampler }

func (t *transformation) Spec() view.Spec     { return Spec() }
func (t *transformation) Config() view.Config { return t.s.cfg }

func (t *transformation) with(seed, epoch uint64, sample int, strand func(r *rng.Stream) float64) view.Params {
	r := rng.NewStream()
	r.Reset(seed, rng.Certify, epoch, uint64(sample), 0)
	var p view.Params
	t.s.draw(r.Rand, strand(r), &p)
	p.Applied = true
	return p
}

func (t *transformation) declared() contract.Range { return t.s.cfg.Params["strand"] }

// Draw draws from the whole declared range, whatever was promised there.
func (t *transformation) Draw(seed, epoch uint64, sample int) view.Params {
	return t.with(seed, epoch, sample, func(r *rng.Stream) float64 { return view.Uniform(r.Rand, t.declared(), true) })
}

// At gives the strand at fraction f of the declared range.
func (t *transformation) At(f float64, seed uint64, sample int) view.Params {
	return t.AtValue(t.declared().Lerp(f), seed, sample)
}

// AtValue gives a strand; where the window lies is drawn.
func (t *transformation) AtValue(v float64, seed uint64, sample int) view.Params {
	return t.with(seed, 0, sample, func(r *rng.Stream) float64 { r.Float64(); return v })
}

// Fill writes the view of sample i of a part.
func (t *transformation) Fill(dst *domain.Array, row int, p domain.Part, i int, params view.Params) error {
	return t.s.parts[p].view(dst.U8, row, i, &params)
}

// Truth writes the bases and the mask of the view of sample i of a part.
func (t *transformation) Truth(clean, mask *domain.Array, row int, p domain.Part, i int, params view.Params) error {
	if err := t.s.parts[p].target(clean.U8, mask.U8, row, i, &params); err != nil {
		return fmt.Errorf("truth: %w", err)
	}
	return nil
}

var (
	_ domain.Sampler  = (*Sampler)(nil)
	_ domain.Recorder = (*Sampler)(nil)
	_ domain.Truther  = (*transformation)(nil)
)
