package dna

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/view"
)

// Sequencer is the name of the one transformation of reads, and of its stream.
const Sequencer = "sequencer"

// The parameters of the sequencer, by their place in view.Params.V; what is drawn beside them has no name.
const (
	paramNoise = iota
	paramDepth
	paramVariants
	paramLength
	paramRepeats
	paramAlleles
	paramGaps
	paramCount
	paramKeyHigh = paramCount // the key of everything else
	paramKeyLow  = paramCount + 1
)

// Options of the sequencer.
const (
	optionProfile = "profile"
	optionKind    = "kind"
)

// Bounds of what is simulated.
const (
	maxNoise  = 4
	maxDepth  = 100
	maxLength = 4000
	// cutLength bounds reads whose lengths come from the profile: what overlaps a window is all the same in longer ones.
	cutLength   = 900
	shortLength = 150 // of reads of a profile that says nothing of lengths
)

// Specs lists the transformations of DNA.
func Specs() []view.Spec {
	rg := func(a, b float64) contract.Range { return contract.Range{From: a, To: b} }
	return []view.Spec{{
		Name: Sequencer,
		Doc:  "a read as a sequencer gives it, with the reads that overlap it; the sample copied with variants is its template (package domain/dna/sequencer)",
		P:    1, Identity: math.NaN(), Kinds: []contract.Kind{contract.Restorable},
		Params: []view.ParamSpec{
			paramNoise:    {Name: "noise", Unit: "factor", Max: maxNoise, Default: rg(0.5, 2), Doc: "on the error rates of the profile, whose qualities stay as they are"},
			paramDepth:    {Name: "depth", Unit: "reads", Max: maxDepth, Default: rg(0, 40), Doc: "mean number of other reads over a position, even in log(1+depth), and none at all in one sample of eight where the range begins at 0"},
			paramVariants: {Name: "variants", Unit: "fraction", Max: 0.2, Default: rg(0, 0.02), Doc: "bases in which the template differs from the reference, so that no reference is learnt by heart"},
			paramLength:   {Name: "length", Unit: "bases", Max: maxLength, Integer: true, Default: rg(0, 0), Doc: "of a read; 0: as the profile has them, at most 900"},
			paramRepeats:  {Name: "repeats", Unit: "fraction", Max: 1, Default: rg(0.2, 0.2), Doc: "samples among whose overlaps are reads of another copy of the region, 0.3 to 5 % diverged"},
			paramAlleles:  {Name: "alleles", Unit: "fraction", Max: 1, Default: rg(0.1, 0.1), Doc: "samples of two haplotypes"},
			paramGaps:     {Name: "gaps", Unit: "fraction", Max: 0.05, Default: rg(0, 0), Doc: "one number: insertions, and as many deletions, a base that are added to the profile's, so that where they hardly ever happen they are learnt all the same"},
		},
		Options: []view.OptionSpec{
			{Name: optionProfile, Default: "illumina", Doc: "whose noise: illumina, miseq, pacbio, nanopore, rate:SUB,INS,DEL (fractions), or a JSON file that `selfsame sequencer fit` wrote"},
			{Name: optionKind, Default: "auto", Doc: "short or long: how overlaps are found; auto: by the profile's insertions and deletions"},
		},
	}}
}

// profileOf finds the profile that an option names.
func profileOf(word string) (*sequencer.Profile, error) {
	if list, ok := strings.CutPrefix(word, "rate:"); ok {
		var v [3]float64
		words := strings.Split(list, ",")
		if len(words) != 3 {
			return nil, fmt.Errorf("dna: profile %q: want rate:SUB,INS,DEL", word)
		}
		for i, w := range words {
			f, err := strconv.ParseFloat(strings.TrimSpace(w), 64)
			if err != nil || !(f >= 0 && f <= 0.3) {
				return nil, fmt.Errorf("dna: profile %q: %q is not a rate in 0..0.3", word, w)
			}
			v[i] = f
		}
		return sequencer.Rate(v[0], v[1], v[2]), nil
	}
	if strings.HasSuffix(strings.ToLower(word), ".json") {
		f, err := os.Open(word)
		if err != nil {
			return nil, fmt.Errorf("dna: profile: %w", err)
		}
		defer f.Close()
		p, err := sequencer.Load(f)
		if err != nil {
			return nil, fmt.Errorf("dna: profile %s: %w", word, err)
		}
		return p, nil
	}
	p, err := sequencer.Builtin(word)
	if err != nil {
		return nil, fmt.Errorf("dna: %w; others are rate:SUB,INS,DEL and a file NAME.json", err)
	}
	return p, nil
}

// settings are what a recipe declares of the sequencer, worked out.
type settings struct {
	cfg     view.Config
	set     view.Set // of the noise
	profile *sequencer.Profile
	ladder  []*sequencer.Profile // with rising noise
	kind    string               // pileup.Short or pileup.Long
	pile    pileup.Config
	window  int
	longest int // bases of the longest wanted read
	indels  float64
}

// rungs of the ladder a factor of 2: a step is 2 % of the rate.
const rungs = 32

func newSettings(cfg view.Config, window int) (*settings, error) {
	spec := Specs()[0]
	cfg, err := spec.Resolve(cfg)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"depth", "variants", "length", "repeats", "alleles"} {
		if r := cfg.Params[name]; r.From < 0 {
			return nil, fmt.Errorf("%w: %s: %s is %s", view.ErrConfig, Sequencer, name, r)
		}
	}
	s := &settings{cfg: cfg, window: window}
	s.set = view.SetOf(cfg.Terms, contract.Restorable, cfg.Params["noise"], false)
	if s.set.Empty() {
		return nil, fmt.Errorf("%w: %s: no noise of %s is Restorable", view.ErrConfig, Sequencer, cfg.Params["noise"])
	}
	if s.profile, err = profileOf(cfg.Options[optionProfile]); err != nil {
		return nil, fmt.Errorf("%w: %w", view.ErrConfig, err)
	}
	if err := s.profile.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", view.ErrConfig, err)
	}
	gaps := cfg.Params["gaps"]
	if gaps.From != gaps.To {
		return nil, fmt.Errorf("%w: %s: gaps is %s, want one number", view.ErrConfig, Sequencer, gaps)
	}
	if gaps.From > 0 {
		s.profile = withGaps(s.profile, gaps.From)
	}
	s.indels = indelRate(s.profile)
	switch s.kind = cfg.Options[optionKind]; s.kind {
	case "auto":
		if s.kind = pileup.Short; s.indels > 0.01 {
			s.kind = pileup.Long
		}
	case pileup.Short, pileup.Long:
	default:
		return nil, fmt.Errorf("%w: %s: kind %q is not short, long or auto", view.ErrConfig, Sequencer, s.kind)
	}
	switch r := cfg.Params["length"]; {
	case r.To >= 1 && r.From < 20:
		return nil, fmt.Errorf("%w: %s: length %s: want at least 20 bases, or 0", view.ErrConfig, Sequencer, r)
	case r.To >= 1:
		s.longest = int(r.To)
	case len(s.profile.Length) > 0:
		s.longest = min(cutLength, s.profile.Length[len(s.profile.Length)-1])
	default:
		s.longest = shortLength
	}
	s.pile = pileup.DefaultConfig(s.kind)
	// Long reads are cut for training; what they may overlap by is cut with them.
	s.pile.MinOverlap = min(s.pile.MinOverlap, max(20, s.longest/4))
	if err := s.pile.Validate(); err != nil {
		return nil, err
	}
	return s, s.climb()
}

// climb makes a profile of every noise: sequencer.Profile keeps tables that cost more than a read.
func (s *settings) climb() error {
	h := s.set.Hull()
	from, to := s.rung(h.From), s.rung(h.To)
	s.ladder = make([]*sequencer.Profile, rungs*(levels)+1)
	for k := from; k <= to; k++ {
		p, err := scaled(s.profile, noiseAt(k))
		if err != nil {
			return err
		}
		s.ladder[k] = p
	}
	return nil
}

// levels are the factors of 2 that the ladder spans, from 1/16 to maxNoise; the lowest rung is no noise at all.
const levels = 6

func noiseAt(k int) float64 {
	if k == 0 {
		return 0
	}
	return maxNoise * math.Exp2(float64(k)/rungs-levels)
}

// rung is the nearest step of the ladder.
func (s *settings) rung(noise float64) int {
	if noise <= 0 {
		return 0
	}
	return min(max(int(math.Round(rungs*(math.Log2(noise/maxNoise)+levels))), 0), rungs*levels)
}

// at is the profile with a noise; of a noise that is not declared it is made anew.
func (s *settings) at(noise float64) (*sequencer.Profile, error) {
	if p := s.ladder[s.rung(noise)]; p != nil {
		return p, nil
	}
	return scaled(s.profile, noiseAt(s.rung(noise)))
}

// maxRate is the highest rate of insertions or deletions that a profile may have.
const maxRate = 0.75

// scaled multiplies the error rates of a profile; qualities, lengths, adapters and N stay.
func scaled(p *sequencer.Profile, noise float64) (*sequencer.Profile, error) {
	out := copyOf(p)
	out.Classes = nil
	for _, c := range p.Classes {
		limit := func(factor float64, runs []float64) float64 {
			f := factor * noise
			for _, r := range runs {
				if r > 0 {
					f = min(f, maxRate/r)
				}
			}
			return f
		}
		c.Sub, c.Ins, c.Del = min(c.Sub*noise, 1e3), limit(c.Ins, p.Ins.ByRun), limit(c.Del, p.Del.ByRun)
		out.Classes = append(out.Classes, c)
	}
	if err := out.Validate(); err != nil {
		return nil, fmt.Errorf("dna: noise %g: %w", noise, err)
	}
	return out, nil
}

// withGaps adds insertions and deletions at a rate a base.
func withGaps(p *sequencer.Profile, rate float64) *sequencer.Profile {
	out := copyOf(p)
	var weight, ins, del float64
	for _, c := range p.Classes {
		weight, ins, del = weight+c.Weight, ins+c.Weight*c.Ins, del+c.Weight*c.Del
	}
	add := func(runs []float64, factor float64) []float64 { // factor: mean of the classes
		out := slices.Clone(runs)
		for i := range out {
			out[i] = min(out[i]+rate/factor, maxRate)
		}
		return out
	}
	if ins > 0 {
		out.Ins.ByRun = add(p.Ins.ByRun, ins/weight)
	}
	if del > 0 {
		out.Del.ByRun = add(p.Del.ByRun, del/weight)
	}
	return out
}

// copyOf shares the tables of p, which nobody changes.
func copyOf(p *sequencer.Profile) *sequencer.Profile {
	return &sequencer.Profile{Version: p.Version, Name: p.Name, Doc: p.Doc, Reads: p.Reads, Bases: p.Bases, Quality: p.Quality,
		Sub: p.Sub, Ins: p.Ins, Del: p.Del, N: p.N, Adapter: p.Adapter, Truncate: p.Truncate, Length: p.Length, Classes: p.Classes}
}

// indelRate is about the insertions and deletions a base, of a template whose runs are as in random sequence.
func indelRate(p *sequencer.Profile) float64 {
	var weight, ins, del float64
	for _, c := range p.Classes {
		weight, ins, del = weight+c.Weight, ins+c.Weight*c.Ins, del+c.Weight*c.Del
	}
	var rate float64
	share := 9. / 16 // bases in runs of length i: i (3/4)^2 (1/4)^(i-1)
	for i := range 6 {
		at := func(runs []float64) float64 { return runs[min(i, len(runs)-1)] }
		rate += float64(i+1) * share * (ins*at(p.Ins.ByRun) + del*at(p.Del.ByRun)) / weight
		share /= 4
	}
	return rate
}

// slack is how many bases of template beyond n a read of n bases may need: deletions skip some.
func (s *settings) slack(n int) int {
	return 16 + int(float64(n)*min(2, 3*s.indels*maxOf(s.set.Hull().To, 1)))
}

func maxOf(a, b float64) float64 { return max(a, b) }

var errNoSequencer = errors.New("dna: the views of reads are one transformation, sequencer")

// sequencerOf finds the one transformation of a recipe's views.
func sequencerOf(ts []view.Config) (view.Config, error) {
	if len(ts) != 1 || ts[0].Name != Sequencer {
		return view.Config{}, fmt.Errorf("%w: %w", view.ErrConfig, errNoSequencer)
	}
	return ts[0], nil
}
