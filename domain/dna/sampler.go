package dna

import (
	"errors"
	"fmt"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

// Sampler makes the views of places of a genome; it implements domain.Sampler.
//
// There is one stream, Restorable, of the transformation "sequencer": "sequencer.input" [window, pileup.Channels] (F32) is a
// window of a noisy read with what the reads that overlap it say, "sequencer.clean" [window, 2] (U8) the truth of each position
// (Here 0..4 and After 0..4, see the package comment), "sequencer.mask" [window] (U8) is 1 where there is one:
// inside the read, before its adapter, where the reference is known.
//
// A view depends on (seed, epoch, sample) and on the stretch of the reference around the sample only.
type Sampler struct {
	samples    *Samples
	fields     []domain.Field
	streams    []domain.Stream
	transforms []domain.Transformation
}

// The places of the fields.
const (
	fieldInput = iota
	fieldClean
	fieldMask
)

func newSampler(s *Samples) *Sampler {
	w := s.set.window
	out := &Sampler{samples: s}
	out.fields = []domain.Field{
		fieldInput: {Name: Sequencer + ".input", DType: domain.F32, Dims: []int{w, pileup.Channels}},
		fieldClean: {Name: Sequencer + ".clean", DType: domain.U8, Dims: []int{w, 2}},
		fieldMask:  {Name: Sequencer + ".mask", DType: domain.U8, Dims: []int{w}},
	}
	weight := 0.0
	for _, t := range s.set.cfg.Terms.Of(contract.Restorable) {
		weight = max(weight, t.Weight)
	}
	if weight == 0 {
		weight = 1
	}
	out.streams = []domain.Stream{{Kind: contract.Restorable, Name: Sequencer, Weight: weight, Views: 1,
		Input: out.fields[fieldInput].Name, Clean: out.fields[fieldClean].Name, Mask: out.fields[fieldMask].Name}}
	out.transforms = []domain.Transformation{&transformation{s: out}}
	return out
}

// Streams is the one Restorable stream.
func (s *Sampler) Streams() []domain.Stream { return append([]domain.Stream(nil), s.streams...) }

// Fields lists what Fill writes, in order.
func (s *Sampler) Fields() []domain.Field { return s.fields }

// Transforms is the sequencer.
func (s *Sampler) Transforms() []domain.Transformation { return s.transforms }

// workspace is the memory of one worker.
type workspace struct {
	stream *rng.Stream
	island *island
	err    error
}

// NewScratch returns the memory of one worker for Fill.
func (s *Sampler) NewScratch() any {
	l, err := newIsland(s.samples.set)
	return &workspace{stream: rng.NewStream(), island: l, err: err}
}

var errScratch = errors.New("dna: the scratch is not from NewScratch of this sampler")

// params are the draws of the view of a sample.
func (s *Sampler) params(r *rng.Stream, seed, epoch uint64, i int, p *view.Params) {
	r.Reset(seed, rng.Views, epoch, uint64(i), 0)
	set := s.samples.set
	set.draw(r.Rand, set.noise(r.Rand), p)
}

// Fill draws and writes the view of training sample i; see domain.Sampler.
func (s *Sampler) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error {
	w, ok := scratch.(*workspace)
	if !ok || len(dst) != len(s.fields) {
		return errScratch
	}
	if w.err != nil {
		return w.err
	}
	if w.island.set != s.samples.set {
		return errScratch
	}
	var p view.Params
	s.params(w.stream, seed, epoch, i, &p)
	if err := s.samples.view(w.island, domain.Train, i, &p); err != nil {
		return err
	}
	to, err := s.samples.row(&dst[fieldInput], row)
	if err != nil {
		return err
	}
	w.island.window(to)
	n := s.samples.set.window
	if (row+1)*n > len(dst[fieldMask].U8) || 2*(row+1)*n > len(dst[fieldClean].U8) {
		return fmt.Errorf("dna: row %d does not fit arrays of %d and %d", row, len(dst[fieldClean].U8), len(dst[fieldMask].U8))
	}
	w.island.truth(dst[fieldClean].U8[2*row*n:2*(row+1)*n], dst[fieldMask].U8[row*n:(row+1)*n])
	return nil
}

// Drawn returns the draw with which Fill makes the view of training sample i.
func (s *Sampler) Drawn(seed, epoch uint64, i int) []domain.Draw {
	var p view.Params
	s.params(rng.NewStream(), seed, epoch, i, &p)
	return []domain.Draw{{Stream: Sequencer, Transform: Sequencer, Params: p}}
}

// transformation is the sequencer for stages that do not know reads.
type transformation struct{ s *Sampler }

func (t *transformation) Spec() view.Spec     { return Specs()[0] }
func (t *transformation) Config() view.Config { return t.s.samples.set.cfg }

// with draws what is not given.
func (t *transformation) with(seed, epoch uint64, sample int, noise func(r *rng.Stream) float64) view.Params {
	r := rng.NewStream()
	r.Reset(seed, rng.Certify, epoch, uint64(sample), 0)
	v := noise(r)
	var p view.Params
	t.s.samples.set.draw(r.Rand, v, &p)
	return p
}

// Draw draws from the whole declared range, whatever was promised there.
func (t *transformation) Draw(seed, epoch uint64, sample int) view.Params {
	return t.with(seed, epoch, sample, func(r *rng.Stream) float64 { return view.Uniform(r.Rand, t.declared(), false) })
}

func (t *transformation) declared() contract.Range { return t.Config().Params["noise"] }

// At gives the noise at fraction f of the declared range.
func (t *transformation) At(f float64, seed uint64, sample int) view.Params {
	return t.AtValue(t.declared().Lerp(f), seed, sample)
}

// AtValue gives a noise; all else is drawn.
func (t *transformation) AtValue(v float64, seed uint64, sample int) view.Params {
	return t.with(seed, 0, sample, func(r *rng.Stream) float64 { r.Float64(); return v })
}

// Fill writes the view of sample i of a part.
func (t *transformation) Fill(dst *domain.Array, row int, p domain.Part, i int, params view.Params) error {
	s := t.s.samples
	to, err := s.row(dst, row)
	if err != nil {
		return err
	}
	if !params.Applied {
		return s.Fill(dst, row, p, i)
	}
	l, err := s.borrow()
	if err != nil {
		return err
	}
	defer s.giveBack(l)
	if err := s.view(l, p, i, &params); err != nil {
		return err
	}
	l.window(to)
	return nil
}

// Truth writes the labels and the mask of the view of sample i of a part.
func (t *transformation) Truth(clean, mask *domain.Array, row int, p domain.Part, i int, params view.Params) error {
	s := t.s.samples
	n := s.set.window
	if row < 0 || (row+1)*n > len(mask.U8) || 2*(row+1)*n > len(clean.U8) {
		return fmt.Errorf("dna: row %d does not fit arrays of %d and %d", row, len(clean.U8), len(mask.U8))
	}
	l, err := s.borrow()
	if err != nil {
		return err
	}
	defer s.giveBack(l)
	if err := s.view(l, p, i, &params); err != nil {
		return err
	}
	l.truth(clean.U8[2*row*n:2*(row+1)*n], mask.U8[row*n:(row+1)*n])
	return nil
}

// rates are how often the training part's positions are wrong, by truth.
type rates struct {
	Wrong   float64 // another base stands there
	Deleted float64 // nothing does
	Missing float64 // something is missing behind
}

// measured is how many views the rates are taken from.
const measured = 400

// measure counts the truths of some training views.
func (s *Sampler) measure() (rates, error) {
	l, err := newIsland(s.samples.set)
	if err != nil {
		return rates{}, err
	}
	n := s.samples.set.window
	labels, mask := make([]uint8, 2*n), make([]uint8, n)
	r := rng.NewStream()
	var wrong, deleted, missing, total float64
	for k := range measured {
		r.Reset(s.samples.recipe.Seed, rng.Probe, 8, uint64(k), 0)
		i := r.IntN(s.samples.Len(domain.Train))
		var p view.Params
		s.samples.set.draw(r.Rand, s.samples.set.noise(r.Rand), &p)
		p.V[paramDepth] = 0 // the read itself is all that counts
		if err := s.samples.view(l, domain.Train, i, &p); err != nil {
			return rates{}, err
		}
		l.truth(labels, mask)
		for j, m := range mask {
			if m == 0 {
				continue
			}
			total++
			switch own := l.read.Bases[l.from+j]; {
			case labels[2*j] == 4:
				deleted++
			case labels[2*j] != own:
				wrong++
			}
			if labels[2*j+1] != 0 {
				missing++
			}
		}
	}
	// One more of each, so that nothing is impossible.
	return rates{(wrong + 1) / (total + 2), (deleted + 1) / (total + 2), (missing + 1) / (total + 2)}, nil
}

var (
	_ domain.Sampler  = (*Sampler)(nil)
	_ domain.Recorder = (*Sampler)(nil)
	_ domain.Truther  = (*transformation)(nil)
)
