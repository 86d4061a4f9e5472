package dna

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

// The sequences of an island.
const (
	ownCopy   = iota // that of the read itself
	allele           // the other haplotype
	otherCopy        // a copy of the region elsewhere in the genome
	copies
)

// Divergence of the sequences from the read's own.
const (
	copyFrom, copyTo     = 0.003, 0.05 // even in the logarithm
	alleleFrom, alleleTo = 0.0005, 0.01
	indelShare           = 0.1 // of variants
	longestIndel         = 12
)

// island is one read with all that overlaps it, and the memory to make the next one.
type island struct {
	set     *settings
	gen     *rng.Stream
	forward [copies][]uint8
	back    [copies][]uint8 // reverse complements
	read    sequencer.Read  // the read itself
	other   sequencer.Read
	index   *pileup.MemIndex
	scratch pileup.Scratch
	columns pileup.Columns
	values  []float32 // features of the whole read
	from    int       // first position of the window in the read
	quals   []uint8   // of the perfect read
	// check is told of every read with its template, where it is not nil.
	check func(template []uint8, r *sequencer.Read)
	reads int // other reads that were made
}

func newIsland(s *settings) (*island, error) {
	x, err := pileup.NewMemIndex(s.pile)
	if err != nil {
		return nil, err
	}
	return &island{set: s, gen: rng.NewStream(), index: x}, nil
}

func keyOf(p *view.Params) uint64 {
	return uint64(p.V[paramKeyHigh])<<32 | uint64(uint32(p.V[paramKeyLow]))
}

// draw fills p from r; noise is the principal parameter.
func (s *settings) draw(r *rand.Rand, noise float64, p *view.Params) {
	*p = view.Params{N: paramCount + 2, Applied: true}
	p.V[paramNoise] = noise
	d := s.cfg.Params["depth"]
	lo, hi := math.Log1p(d.From), math.Log1p(d.To)
	none := r.Float64() < 0.125
	if u := r.Float64(); !none || d.From > 0 {
		p.V[paramDepth] = min(max(math.Expm1(lo+u*(hi-lo)), d.From), d.To)
	}
	p.V[paramVariants] = view.Uniform(r, s.cfg.Params["variants"], false)
	p.V[paramLength] = view.Uniform(r, s.cfg.Params["length"], true)
	p.V[paramRepeats] = view.Uniform(r, s.cfg.Params["repeats"], false)
	p.V[paramAlleles] = view.Uniform(r, s.cfg.Params["alleles"], false)
	p.V[paramGaps] = s.cfg.Params["gaps"].From
	k := r.Uint64()
	p.V[paramKeyHigh], p.V[paramKeyLow] = float64(k>>32), float64(uint32(k))
}

// wanted is the length of a read.
func (s *settings) wanted(r *rand.Rand, length float64) int {
	if length >= 1 {
		return int(length)
	}
	return min(s.profile.DrawLength(r, s.longest), s.longest)
}

// make simulates the read that covers the base at `at` of the reference, and everything that overlaps it inside block b.
// It depends on its arguments only.
func (l *island) make(ref []uint8, b stretch, at int, p *view.Params) error {
	s := l.set
	r := l.gen.Rand
	l.gen.Reset(keyOf(p), rng.Views, 0, 0, 0)
	profile, err := s.at(p.V[paramNoise])
	if err != nil {
		return err
	}
	n := s.wanted(r, p.V[paramLength])
	slack := s.slack(s.longest)
	n = max(1, min(n, b.to-b.from-slack))
	// Where the window lies in the read: its ends are as frequent as they are in files of long reads cut into windows.
	l.from = 0
	if n > s.window {
		switch u := r.Float64(); {
		case u < 0.1:
		case u < 0.2:
			l.from = n - s.window
		default:
			l.from = r.IntN(n - s.window + 1)
		}
	}
	opposite := r.Uint64()&1 == 1
	before := l.from // bases of the read in front of the window, in the direction of the reference
	if opposite {
		before = max(0, n-l.from-s.window)
	}
	start := at - before + r.IntN(s.window) - s.window/2
	start = min(max(start, b.from), b.to-n-slack)
	if opposite {
		start = min(max(start, b.from+slack), b.to-n)
	}
	reach := s.longest + slack
	lo, hi := max(b.from, start-reach), min(b.to, start+n+reach)

	mutate(r, &l.forward[ownCopy], ref[lo:hi], p.V[paramVariants])
	own := l.forward[ownCopy]
	used := 1
	l.forward[allele], l.forward[otherCopy] = l.forward[allele][:0], l.forward[otherCopy][:0]
	if two := r.Float64() < p.V[paramAlleles]; two {
		mutate(r, &l.forward[allele], own, logUniform(r, alleleFrom, alleleTo))
	}
	if repeat := r.Float64() < p.V[paramRepeats]; repeat {
		mutate(r, &l.forward[otherCopy], own, logUniform(r, copyFrom, copyTo))
		l.edge(r, l.forward[otherCopy])
	}
	for k := range l.forward {
		reverseComplement(&l.back[k], l.forward[k])
		if len(l.forward[k]) > 0 {
			used = k + 1
		}
	}
	// Variants have moved the places a little; the read still has to fit.
	c := min(start-lo, len(own)-n-slack)
	if opposite {
		c = min(max(start-lo, slack), len(own)-n)
	}
	if c = max(c, 0); !l.draw(profile, ownCopy, c, n, opposite, &l.read) {
		return fmt.Errorf("dna: a read of %d bases does not fit a block of %d", n, b.to-b.from)
	}
	l.from = max(0, min(l.from, len(l.read.Bases)-s.window))
	l.index.Reset()
	if err := l.index.Add(l.read.Bases, l.read.Quals); err != nil {
		return err
	}
	l.reads = 0
	mean := float64(s.longest)
	if p.V[paramLength] >= 1 {
		mean = p.V[paramLength]
	} else if len(s.profile.Length) > 0 {
		mean = s.meanLength()
	}
	span := float64(n + s.longest)
	for k := range used {
		if len(l.forward[k]) == 0 {
			continue
		}
		depth := p.V[paramDepth]
		switch k {
		case ownCopy, allele:
			if len(l.forward[allele]) > 0 {
				depth /= 2
			}
		case otherCopy: // several copies, of which this is one, are as deep as they are many
			depth = min(depth*copyDepth[r.IntN(len(copyDepth))], maxDepth)
		}
		for range poisson(r, depth*span/mean) {
			m := s.wanted(r, p.V[paramLength])
			at := c - m + 1 + r.IntN(n+m-1) // any place that overlaps; thinned to the density below
			if float64(n+m) < span*r.Float64() {
				continue
			}
			if at+m-c < s.pile.MinOverlap/2 || c+n-at < s.pile.MinOverlap/2 {
				continue
			}
			if !l.draw(profile, k, at, m, r.Uint64()&1 == 1, &l.other) {
				continue
			}
			l.reads++
			if err := l.index.Add(l.other.Bases, l.other.Quals); err != nil {
				return err
			}
		}
	}
	if err := l.index.Finish(); err != nil {
		return err
	}
	if err := l.index.Columns(0, &l.scratch, &l.columns); err != nil {
		return err
	}
	l.features()
	return nil
}

// copyDepth are how many times as deep as the read's own copy the others are together.
var copyDepth = [...]float64{0.5, 1, 1, 1, 2, 5}

// meanLength is the mean of the lengths that wanted draws.
func (s *settings) meanLength() float64 {
	sum := 0.0
	q := s.profile.Length
	for i := range len(q) - 1 {
		sum += (float64(min(q[i], s.longest)) + float64(min(q[i+1], s.longest))) / 2
	}
	return max(1, sum/float64(len(q)-1))
}

// draw makes a read of n bases from the place at of copy k, counted forward; it reports whether it fits.
func (l *island) draw(p *sequencer.Profile, k, at, n int, opposite bool, out *sequencer.Read) bool {
	t, slack := l.forward[k], l.set.slack(n)
	if opposite {
		t, at = l.back[k], len(t)-at-n
	}
	if at < 0 || at+n+slack > len(t) {
		return false
	}
	t = t[at : at+n+slack]
	p.Read(l.gen.Rand, t, n, out)
	if l.check != nil {
		l.check(t, out)
	}
	return len(out.Bases) > 0
}

// perfect is the sample itself: the read without errors, at quality 40, alone.
func (l *island) perfect(ref []uint8, b stretch, at int) error {
	n := min(l.set.window, b.to-at)
	l.quals = l.quals[:0]
	for range n {
		l.quals = append(l.quals, 40)
	}
	l.index.Reset()
	if err := l.index.Add(ref[at:at+n], l.quals); err != nil {
		return err
	}
	if err := l.index.Finish(); err != nil {
		return err
	}
	if err := l.index.Columns(0, &l.scratch, &l.columns); err != nil {
		return err
	}
	l.from = 0
	l.features()
	return nil
}

func (l *island) features() {
	if n := l.columns.Len * pileup.Channels; cap(l.values) < n {
		l.values = make([]float32, n+n/2)
	} else {
		l.values = l.values[:n]
	}
	l.columns.Features(l.values)
}

// window writes the features of the window [window, Channels], zeros behind the read.
func (l *island) window(dst []float32) {
	to := min(l.from+l.set.window, l.columns.Len)
	n := copy(dst, l.values[l.from*pileup.Channels:to*pileup.Channels])
	clear(dst[n:])
}

// truth writes the labels [window, 2] and which positions have them [window]. Behind an adapter's beginning all is to be
// deleted, which counts nowhere: whoever runs a sequencer knows its adapters.
func (l *island) truth(labels, mask []uint8) {
	clear(labels)
	clear(mask)
	for j := l.from; j < min(l.from+l.set.window, l.read.Body); j++ {
		if l.read.Here[j] == sequencer.Unknown {
			continue
		}
		labels[2*(j-l.from)], labels[2*(j-l.from)+1] = l.read.Here[j], l.read.After[j]
		mask[j-l.from] = 1
	}
}

func logUniform(r *rand.Rand, from, to float64) float64 {
	return from * math.Exp(r.Float64()*math.Log(to/from))
}

// poisson draws by counting exponential waits.
func poisson(r *rand.Rand, mean float64) int {
	n := 0
	for t := r.ExpFloat64(); t < mean; t += r.ExpFloat64() {
		n++
	}
	return n
}

// mutate copies src to dst with variants at a rate a base: nine substitutions to one insertion or deletion, whose
// length is geometric with mean 2.
func mutate(r *rand.Rand, dst *[]uint8, src []uint8, rate float64) {
	out := (*dst)[:0]
	next := func() int {
		if rate <= 0 {
			return math.MaxInt
		}
		return int(min(r.ExpFloat64()/rate, math.MaxInt32))
	}
	for at, i := next(), 0; i < len(src); i++ {
		if i < at {
			m := min(at, len(src))
			out = append(out, src[i:m]...)
			if i = m; i == len(src) {
				break
			}
		}
		at = i + 1 + next()
		if at < i { // never
			at = math.MaxInt
		}
		b := src[i]
		if r.Float64() >= indelShare {
			if b < baseN {
				b = (b + 1 + uint8(r.IntN(3))) & 3
			}
			out = append(out, b)
			continue
		}
		m := 1
		for m < longestIndel && r.Uint64()&1 == 1 {
			m++
		}
		if r.Uint64()&1 == 1 { // lost
			i += m - 1
			continue
		}
		out = append(out, b)
		for range m {
			out = append(out, uint8(r.IntN(4)))
		}
	}
	*dst = out
}

// edge ends a copy somewhere in half of the islands: beyond, it is another sequence.
func (l *island) edge(r *rand.Rand, seq []uint8) {
	if len(seq) == 0 || r.Uint64()&1 == 1 {
		return
	}
	from, to := 0, r.IntN(len(seq))
	if r.Uint64()&1 == 1 {
		from, to = to, len(seq)
	}
	for i := from; i < to; i++ {
		seq[i] = uint8(r.IntN(4))
	}
}

func reverseComplement(dst *[]uint8, src []uint8) {
	out := (*dst)[:0]
	for i := len(src) - 1; i >= 0; i-- {
		b := src[i]
		if b < baseN {
			b = 3 - b
		}
		out = append(out, b)
	}
	*dst = out
}
