package sequencer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Find returns the profile that a word names: a built-in one ([Names]), "rate:SUB,INS,DEL" with rates a base of at most 0.3, or a
// JSON file whose name ends in .json or holds a separator.
func Find(word string) (*Profile, error) {
	if list, ok := strings.CutPrefix(word, "rate:"); ok {
		words := strings.Split(list, ",")
		if len(words) != 3 {
			return nil, fmt.Errorf("%w: %q: want rate:SUB,INS,DEL", ErrProfile, word)
		}
		var v [3]float64
		for i, w := range words {
			f, err := strconv.ParseFloat(strings.TrimSpace(w), 64)
			if err != nil || !(f >= 0 && f <= 0.3) {
				return nil, fmt.Errorf("%w: %q: %q is not a rate in 0..0.3", ErrProfile, word, w)
			}
			v[i] = f
		}
		return Rate(v[0], v[1], v[2]), nil
	}
	if strings.HasSuffix(strings.ToLower(word), ".json") || strings.ContainsAny(word, `/\`) {
		f, err := os.Open(word)
		if err != nil {
			return nil, fmt.Errorf("sequencer: profile: %w", err)
		}
		defer f.Close()
		p, err := Load(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
		return p, nil
	}
	p, err := Builtin(word)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is not one of %s, rate:SUB,INS,DEL, or a file NAME.json", ErrProfile, word, strings.Join(Names(), ", "))
	}
	return p, nil
}

// Scaled returns p with its error rates multiplied by noise (0..1000, as far as the limits of a profile allow); scores, lengths,
// adapter, truncation and N stay.
func (p *Profile) Scaled(noise float64) (*Profile, error) {
	if !(noise >= 0 && noise <= 1e3) {
		return nil, fmt.Errorf("%w: noise is %g, want 0..1000", ErrProfile, noise)
	}
	out := p.copied()
	out.Classes = nil
	limit := func(factor float64, runs []float64) float64 {
		f := factor * noise
		for _, r := range runs {
			if r > 0 {
				f = min(f, maxRate/r)
			}
		}
		return f
	}
	for _, c := range p.Classes {
		c.Sub, c.Ins, c.Del = min(c.Sub*noise, 1e3), limit(c.Ins, p.Ins.ByRun), limit(c.Del, p.Del.ByRun)
		out.Classes = append(out.Classes, c)
	}
	if err := out.Validate(); err != nil {
		return nil, err
	}
	return out, nil
}

// copied is p without its tables.
func (p *Profile) copied() *Profile {
	return &Profile{Version: p.Version, Name: p.Name, Doc: p.Doc, Reads: p.Reads, Bases: p.Bases, Quality: p.Quality, Sub: p.Sub,
		Ins: p.Ins, Del: p.Del, N: p.N, Adapter: p.Adapter, Truncate: p.Truncate, Length: p.Length, Classes: p.Classes}
}

// MeanLength is the mean of the lengths that DrawLength draws; 0 where p has none.
func (p *Profile) MeanLength() float64 {
	if len(p.Length) < 2 {
		return 0
	}
	sum := 0.0
	for i := range len(p.Length) - 1 {
		sum += float64(p.Length[i]+p.Length[i+1]) / 2
	}
	return sum / float64(len(p.Length)-1)
}

// indels is about the deletions a base at the worst homopolymer and class: how much longer a template must be than its read.
func (p *Profile) indels() float64 {
	worst, factor := 0.0, 0.0
	for _, r := range p.Del.ByRun {
		worst = max(worst, r)
	}
	for _, c := range p.Classes {
		factor = max(factor, c.Del)
	}
	return min(2, worst*factor/(1-min(p.Del.Extend, maxExtend)))
}

// Contig is one sequence of a genome.
type Contig struct {
	Name  string
	Bases []uint8 // codes 0..4
}

// SimulateConfig says which reads a Simulator makes.
type SimulateConfig struct {
	Profile *Profile
	// Length of every read in bases; 0: as the profile has them, 150 where it has none.
	Length int
	// Paired makes two reads of every fragment, from its ends towards each other (as Illumina's); its length is drawn from a normal
	// distribution with mean Insert and standard deviation InsertSD, in bases.
	Paired           bool
	Insert, InsertSD float64
	// Adapters lets the adapter of the profile follow where a fragment is shorter than its read: as often as the profile says, or
	// in pairs where Insert gives it. Without it reads end with their fragment.
	Adapters bool
	// Circular joins the ends of every contig.
	Circular bool
	Seed     uint64
}

const (
	usualLength = 150
	// A fragment without N is looked for this many times.
	placeTries = 10_000
)

// ErrNoPlace is wrapped where no stretch of known bases is long enough for a read.
var ErrNoPlace = errors.New("sequencer: no stretch of known bases that is long enough")

// Simulator draws reads from a genome: fragments from all places and both strands alike, none with an N. It is safe for
// concurrent use by callers with their own Fragment.
type Simulator struct {
	cfg     SimulateConfig
	profile *Profile
	contigs []Contig
	ends    []int // sums of lengths
	known   int
}

// Mate is one read with its truth.
type Mate struct {
	Read
	// Truth are the bases that stand in the genome where the read was taken, in the direction of the read, without any error.
	Truth []uint8
	// From and To are where: bases From to To-1 of the contig, from 0, To > From; beyond the length of a circular contig they go on
	// at its beginning.
	From, To int
	Reverse  bool // the read is the reverse complement of the contig
}

// Fragment is what one draw gives. Its memory is used again.
type Fragment struct {
	Contig int // index
	Mates  []Mate
	stream *rng.Stream
	piece  []uint8
	back   []uint8
}

// NewSimulator checks cfg and the genome. The contigs are not copied.
func NewSimulator(contigs []Contig, cfg SimulateConfig) (*Simulator, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("sequencer: bad options of a simulation: "+format, args...)
	}
	switch {
	case cfg.Profile == nil:
		return nil, bad("no profile")
	case cfg.Length < 0 || cfg.Length > 1<<24:
		return nil, bad("reads of %d bases, want 1..%d, or 0", cfg.Length, 1<<24)
	case cfg.Paired && !(cfg.Insert >= 1 && cfg.Insert <= 1<<24 && cfg.InsertSD >= 0 && cfg.InsertSD <= cfg.Insert):
		return nil, bad("fragments of %g ± %g bases, want 1..%d and a deviation up to the mean", cfg.Insert, cfg.InsertSD, 1<<24)
	}
	s := &Simulator{cfg: cfg, profile: cfg.Profile}
	if err := s.profile.Validate(); err != nil {
		return nil, err
	}
	switch {
	case !cfg.Adapters && s.profile.Adapter.Seq != "":
		s.profile = s.profile.copied()
		s.profile.Adapter = Adapter{}
	case cfg.Paired && s.profile.Adapter.Rate > 0: // the fragment says where the adapter begins
		s.profile = s.profile.copied()
		s.profile.Adapter.Rate = 0
	}
	all := 0
	for _, c := range contigs {
		if len(c.Bases) == 0 {
			continue
		}
		for _, b := range c.Bases {
			if b < N {
				s.known++
			}
		}
		all += len(c.Bases)
		s.contigs, s.ends = append(s.contigs, c), append(s.ends, all)
	}
	if s.known == 0 {
		return nil, fmt.Errorf("%w: the genome has %d known bases", ErrNoPlace, s.known)
	}
	return s, nil
}

// Known is how many bases of the genome are A, C, G or T.
func (s *Simulator) Known() int { return s.known }

// Contigs are those that are not empty: Fragment.Contig counts them.
func (s *Simulator) Contigs() []Contig { return s.contigs }

// Draw makes fragment i; it depends on the genome, the configuration and i only.
func (s *Simulator) Draw(i uint64, out *Fragment) error {
	if out.stream == nil {
		out.stream = rng.NewStream()
	}
	mates := 1
	if s.cfg.Paired {
		mates = 2
	}
	for len(out.Mates) < mates {
		out.Mates = append(out.Mates, Mate{})
	}
	out.Mates = out.Mates[:mates]
	out.stream.Reset(s.cfg.Seed, rng.Generate, 0, i, 0)
	r := out.stream.Rand
	for range placeTries {
		if s.place(r, out) {
			return nil
		}
	}
	return fmt.Errorf("%w: none in %d draws for fragment %d", ErrNoPlace, placeTries, i)
}

func (s *Simulator) length(r *rand.Rand) int {
	if s.cfg.Length > 0 {
		return s.cfg.Length
	}
	return s.profile.DrawLength(r, usualLength)
}

// place draws a fragment and reads it; false where it holds an N.
func (s *Simulator) place(r *rand.Rand, out *Fragment) bool {
	at := r.IntN(s.ends[len(s.ends)-1])
	out.Contig = 0
	for at >= s.ends[out.Contig] {
		out.Contig++
	}
	ref := s.contigs[out.Contig].Bases
	size := len(ref)
	n := min(s.length(r), size)
	reach := n // bases of the fragment
	if s.cfg.Paired {
		reach = int(math.Round(s.cfg.Insert + s.cfg.InsertSD*r.NormFloat64()))
		reach = min(max(reach, min(n, int(s.cfg.Insert), 30)), size)
	}
	opposite := r.Uint64()&1 == 1
	var from int
	if s.cfg.Circular {
		from = r.IntN(size)
	} else {
		from = r.IntN(size - reach + 1)
	}
	// A single read goes on in the genome where it skips bases.
	slack := 0
	if !s.cfg.Paired {
		slack = 16 + int(float64(n)*min(2, 2*s.profile.indels()))
	}
	lo, hi := from, from+reach
	if opposite {
		lo -= slack
	} else {
		hi += slack
	}
	switch { // never the same base twice
	case !s.cfg.Circular:
		lo, hi = max(lo, 0), min(hi, size)
	case opposite:
		lo = max(lo, hi-size)
	default:
		hi = min(hi, lo+size)
	}
	out.piece = out.piece[:0]
	for k := lo; k < hi; {
		at := ((k % size) + size) % size
		m := min(hi-k, size-at)
		out.piece = append(out.piece, ref[at:at+m]...)
		k += m
	}
	for _, b := range out.piece[from-lo : from-lo+reach] {
		if b >= N {
			return false
		}
	}
	out.back = ReverseComplement(out.back, out.piece)
	for k := range out.Mates {
		m := &out.Mates[k]
		m.Reverse = opposite != (k == 1)
		t := out.piece
		if m.Reverse {
			t = out.back
		}
		if k == 1 {
			n = min(s.length(r), size)
		}
		s.profile.Read(r, t, n, &m.Read)
		if m.Used == 0 {
			return false
		}
		for _, b := range t[:m.Used] {
			if b >= N {
				return false
			}
		}
		m.Truth = append(m.Truth[:0], t[:m.Used]...)
		if m.Reverse {
			m.From, m.To = hi-m.Used, hi
		} else {
			m.From, m.To = lo, lo+m.Used
		}
		if s.cfg.Circular {
			if shift := ((m.From % size) + size) % size; shift != m.From {
				m.From, m.To = shift, m.To+shift-m.From
			}
		}
	}
	return true
}
