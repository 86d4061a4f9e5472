package lineage

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// ErrStates is wrapped by errors about states that no tree can be drawn from.
var ErrStates = errors.New("lineage: states")

// Fields are the two kinds of states: as they are, and after the background is taken away.
const (
	Raw = iota
	Net // of the background
	fields
)

// Summary is what trees need of the hidden states of one network.
type Summary struct {
	Names      []string // of the genomes
	Layers     int
	Width      int
	Replicates int               // of the bootstrap
	Mean       [fields][]float32 // [1 + Replicates, layers, genomes, width]; the first are the means themselves
	Cov        [fields][]float32 // [layers, width, width]: covariance of windows around the mean of their genome, mean over genomes of two windows or more
	Windows    []int             // of each genome
	Relatives  []Relatives       // pairs of genomes that share windows
	Crowded    int               // pairs that share windows and are no Relatives for want of memory: all or none
}

// Relatives are two genomes of which some windows begin with the same word: homologous places, as a rule. The difference of their mean states is then estimated twice,
// from the windows they share and from the others, and averaged by inverse variance (Cochran 1954): between near relatives, of which most windows are shared, the luck of
// which windows were read falls out; between others nothing changes, since few shared windows weigh little.
type Relatives struct {
	I, J   int // genomes, J < I
	Shared int // windows
	// Difference of the mean states, I less J [1 + Replicates, layers, width], for Raw and Net.
	Difference [fields][]float32
}

// mean is the mean state [width] of a genome.
func (s *Summary) mean(field, replicate, layer, genome int) []float32 {
	at := ((replicate*s.Layers+layer)*len(s.Names) + genome) * s.Width
	return s.Mean[field][at : at+s.Width]
}

// State is the mean state [width] of a genome in a layer.
func (s *Summary) State(background bool, layer, genome int) []float32 {
	return s.mean(fieldOf(background), 0, layer, genome)
}

func fieldOf(background bool) int {
	if background {
		return Net
	}
	return Raw
}

// Summariser adds up the states of windows.
type Summariser struct {
	s    *Summary
	seed uint64
	sum  [fields][]float64 // of one genome: [1 + replicates, layers, width]
	n    []float64         // [1 + replicates]
	rows [fields][]float64 // of one genome: [windows, layers, width]
	cov  [fields][]*mat.SymDense
	used int

	keys  []uint64            // of the rows
	pairs []pair              // of genomes that share windows
	place []map[uint64]int    // of each genome: the shared windows by their keys
	kept  [fields][][]float32 // of each genome: the states of its shared windows [windows, layers, width]
	total [][]float64         // of each genome: n

	// Of the regression on words; see Words.
	words     int                   // of a window; 0: there is none
	whole     [fields]*mat.Dense    // [genomes, words]: mean over the whole genome
	wordRows  [fields][]float64     // of one genome: [windows, words]
	wordSum   [fields][]float64     // of one genome: [1 + replicates, words]
	wordMean  [fields][]*mat.Dense  // of each genome: [1 + replicates, words]
	wordCov   [fields]*mat.SymDense // [words, words], around the mean of the genome, mean over genomes
	cross     [fields]*mat.Dense    // [words, layers * width], likewise
	keptWords [fields][][]float64   // of each genome: the words of its shared windows
}

// Window is what Add takes of a window.
type Window struct {
	Key                uint64      // of the word it begins with
	States, Background [][]float32 // mean states [layers][width], and those of its background
	// How often each word is in the window and in its background, as in Words; they are not read without it.
	Words, BackgroundWords []float32
}

// Words tells, before anything is added, how often each word (of a few bases) is in a window and in a background, in the mean over each whole genome [genomes][words], which counting gives
// without the network. The mean state of the whole genome is then estimated by regression (Cochran 1977, Sampling Techniques, chapter 7): states of
// windows are regressed on their words, within genomes and over all of them together, and what the words of the windows at hand lack or have too much of against the
// genome is made up for. It is as exact as several times as many windows without it, since in any layer words account for most of what windows differ by.
func (t *Summariser) Words(windows, backgrounds [][]float64) {
	n := len(t.s.Names)
	t.words = len(windows[0])
	size := t.s.Layers * t.s.Width
	for f := range fields {
		t.whole[f] = mat.NewDense(n, t.words, nil)
		for g := range n {
			for j, v := range windows[g] {
				if f == Net {
					v -= backgrounds[g][j]
				}
				t.whole[f].Set(g, j, v)
			}
		}
		t.wordSum[f] = make([]float64, (1+t.s.Replicates)*t.words)
		t.wordMean[f], t.keptWords[f] = make([]*mat.Dense, n), make([][]float64, n)
		t.wordCov[f], t.cross[f] = mat.NewSymDense(t.words, nil), mat.NewDense(t.words, size, nil)
	}
}

// NewSummariser begins a summary of networks with so many layers of a width. The bootstrap resamples windows by Poisson weights keyed by the seed and the word
// that a window begins with (Hanley & MacGibbon 2006), so that homologous windows of relatives come and go together.
func NewSummariser(names []string, layers, width, replicates int, seed uint64) *Summariser {
	t := &Summariser{s: &Summary{Names: names, Layers: layers, Width: width, Replicates: replicates, Windows: make([]int, len(names))}, seed: seed}
	t.n = make([]float64, 1+replicates)
	for f := range fields {
		t.s.Mean[f] = make([]float32, (1+replicates)*layers*len(names)*width)
		t.s.Cov[f] = make([]float32, layers*width*width)
		t.sum[f] = make([]float64, (1+replicates)*layers*width)
		for range layers {
			t.cov[f] = append(t.cov[f], mat.NewSymDense(width, nil))
		}
	}
	return t
}

// pair is two genomes, j < i, and the keys of the windows that they share.
type pair struct {
	i, j int
	keys []uint64
}

// leastShared is the number of shared windows from which on two genomes are relatives: fewer would weigh nothing.
const leastShared = 16

// mostShared is what the differences of relatives may take, in bytes: with more pairs than fit none are held.
const mostShared = 1 << 30

// Share tells, before anything is added, what each window of each genome begins with, and so which genomes are relatives. Without it none are. Their shared windows
// are kept until the end.
func (t *Summariser) Share(keys [][]uint64) {
	n := len(t.s.Names)
	in := make([]map[uint64]bool, n)
	wanted := make([]map[uint64]bool, n)
	for g, list := range keys {
		in[g], wanted[g] = make(map[uint64]bool, len(list)), map[uint64]bool{}
		for _, k := range list {
			in[g][k] = true
		}
		for j := range g {
			p := pair{i: g, j: j}
			for _, k := range list {
				if in[j][k] {
					p.keys = append(p.keys, k)
				}
			}
			if len(p.keys) < leastShared {
				continue
			}
			t.pairs = append(t.pairs, p)
			for _, k := range p.keys {
				wanted[g][k], wanted[j][k] = true, true
			}
		}
	}
	if one := 4 * int(fields) * (1 + t.s.Replicates) * t.s.Layers * t.s.Width; len(t.pairs) > mostShared/one {
		t.s.Crowded, t.pairs = len(t.pairs), nil
		return
	}
	t.place, t.total = make([]map[uint64]int, n), make([][]float64, n)
	for f := range fields {
		t.kept[f] = make([][]float32, n)
	}
	for g, list := range keys {
		t.place[g] = make(map[uint64]int, len(wanted[g]))
		for _, k := range list {
			if wanted[g][k] {
				t.place[g][k] = len(t.place[g])
			}
		}
		for f := range fields {
			t.kept[f][g] = make([]float32, len(wanted[g])*t.s.Layers*t.s.Width)
		}
	}
}

// Add adds a window of the genome at hand.
func (t *Summariser) Add(x Window) {
	s := t.s
	t.keys = append(t.keys, x.Key)
	for l := range s.Layers {
		for j := range s.Width {
			v := float64(x.States[l][j])
			t.rows[Raw] = append(t.rows[Raw], v)
			t.rows[Net] = append(t.rows[Net], v-float64(x.Background[l][j]))
		}
	}
	for j := range t.words {
		v := float64(x.Words[j])
		t.wordRows[Raw] = append(t.wordRows[Raw], v)
		t.wordRows[Net] = append(t.wordRows[Net], v-float64(x.BackgroundWords[j]))
	}
	size := s.Layers * s.Width
	for b, w := range t.weights(x.Key) {
		if w == 0 {
			continue
		}
		t.n[b] += w
		for f := range fields {
			floats.AddScaled(t.sum[f][b*size:(b+1)*size], w, t.rows[f][len(t.rows[f])-size:])
			if t.words > 0 {
				floats.AddScaled(t.wordSum[f][b*t.words:(b+1)*t.words], w, t.wordRows[f][len(t.wordRows[f])-t.words:])
			}
		}
	}
}

// weights of a window in all windows and in each replicate.
func (t *Summariser) weights(key uint64) []float64 {
	r := rng.New(t.seed, rng.Probe, 13, key)
	w := make([]float64, 1+t.s.Replicates)
	w[0] = 1
	for b := range t.s.Replicates {
		w[1+b] = poisson(r)
	}
	return w
}

// poisson draws from the Poisson distribution of mean 1 (Knuth 1969).
func poisson(r *rand.Rand) float64 {
	k, p := -1.0, 1.0
	for limit := math.Exp(-1); p > limit; k++ {
		p *= r.Float64()
	}
	return k
}

// Genome ends genome g, of which all windows have been added. That there is no window, or that a state is not finite, are errors that wrap ErrStates.
// A bootstrap replicate that leaves no window is of all of them.
func (t *Summariser) Genome(g int) error {
	s := t.s
	size := s.Layers * s.Width
	n := len(t.rows[Raw]) / size
	if s.Windows[g] = n; n == 0 {
		return fmt.Errorf("%w: the genome %q has no window", ErrStates, s.Names[g])
	}
	for f := range fields {
		for b := range 1 + s.Replicates {
			from := b
			if t.n[b] == 0 { // a replicate of a few windows can have none
				from = 0
			}
			for l := range s.Layers {
				m := s.mean(f, b, l, g)
				for j := range m {
					v := t.sum[f][from*size+l*s.Width+j] / t.n[from]
					if m[j] = float32(v); math.IsNaN(v) || math.IsInf(float64(m[j]), 0) {
						return fmt.Errorf("%w: a state of the genome %q is %g", ErrStates, s.Names[g], v)
					}
				}
			}
		}
		var words *mat.Dense // centred
		if t.words > 0 {
			t.wordMean[f][g] = mat.NewDense(1+s.Replicates, t.words, nil)
			for b := range 1 + s.Replicates {
				from := b
				if t.n[b] == 0 {
					from = 0
				}
				floats.ScaleTo(t.wordMean[f][g].RawRowView(b), 1/t.n[from], t.wordSum[f][from*t.words:(from+1)*t.words])
			}
			words = mat.NewDense(n, t.words, slices.Clone(t.wordRows[f]))
			for w := range n {
				floats.Sub(words.RawRowView(w), t.wordMean[f][g].RawRowView(0))
			}
			if n > 1 {
				t.wordCov[f].SymRankK(t.wordCov[f], 1/float64(n-1), words.T())
			}
		}
		if n > 1 {
			for l := range s.Layers {
				x := mat.NewDense(n, s.Width, nil)
				for w := range n {
					row := x.RawRowView(w)
					copy(row, t.rows[f][w*size+l*s.Width:])
					for j := range row {
						row[j] -= t.sum[f][l*s.Width+j] / t.n[0]
					}
				}
				t.cov[f][l].SymRankK(t.cov[f][l], 1/float64(n-1), x.T())
				if words != nil {
					var c mat.Dense
					c.Mul(words.T(), x)
					c.Scale(1/float64(n-1), &c)
					at := t.cross[f].Slice(0, t.words, l*s.Width, (l+1)*s.Width).(*mat.Dense)
					at.Add(at, &c)
				}
			}
		}
	}
	if t.place != nil {
		t.total[g] = slices.Clone(t.n)
		for f := range fields {
			if t.words > 0 {
				t.keptWords[f][g] = make([]float64, len(t.place[g])*t.words)
			}
		}
		for w, key := range t.keys {
			if k, ok := t.place[g][key]; ok {
				for f := range fields {
					kept := t.kept[f][g][k*size : (k+1)*size]
					for j, v := range t.rows[f][w*size : (w+1)*size] {
						kept[j] = float32(v)
					}
					if t.words > 0 {
						copy(t.keptWords[f][g][k*t.words:], t.wordRows[f][w*t.words:(w+1)*t.words])
					}
				}
			}
		}
	}
	for f := range fields {
		clear(t.sum[f])
		clear(t.wordSum[f])
		t.rows[f], t.wordRows[f] = t.rows[f][:0], t.wordRows[f][:0]
	}
	if n > 1 {
		t.used++
	}
	t.keys = t.keys[:0]
	clear(t.n)
	return nil
}

// Summary ends the last genome's work.
func (t *Summariser) Summary() *Summary {
	s := t.s
	for f := range fields {
		for l, c := range t.cov[f] {
			for i := range s.Width {
				for j := range s.Width {
					s.Cov[f][(l*s.Width+i)*s.Width+j] = float32(c.At(i, j) / float64(max(t.used, 1)))
				}
			}
		}
	}
	var variance [fields][]float64 // of windows [layers, width]
	for f := range fields {
		variance[f] = make([]float64, s.Layers*s.Width)
		for at := range variance[f] {
			variance[f][at] = float64(s.Cov[f][at*s.Width+at%s.Width])
		}
	}
	var slope [fields]*mat.Dense
	if t.words > 0 {
		for f := range fields {
			if slope[f] = t.regress(f, variance[f]); slope[f] != nil {
				t.residual(f, slope[f])
			}
		}
	}
	for _, p := range t.pairs {
		s.Relatives = append(s.Relatives, t.relate(p, variance))
	}
	for f := range fields {
		if slope[f] != nil {
			t.genomeWords(f, slope[f])
		}
	}
	t.pairs, t.place, t.kept, t.keptWords = nil, nil, [fields][][]float32{}, [fields][][]float64{}
	return s
}

// wordRidge is the share of the mean variance of words that is added to each: some words hardly vary, and all of them together are as many as a window has.
const wordRidge = 1e-3

// regress gives the slopes of states on words [words, layers * width], and makes of the variance of states what they leave of it. nil: there are none.
func (t *Summariser) regress(f int, variance []float64) *mat.Dense {
	n := float64(max(t.used, 1))
	t.wordCov[f].ScaleSym(1/n, t.wordCov[f])
	t.cross[f].Scale(1/n, t.cross[f])
	c := mat.NewSymDense(t.words, nil)
	c.CopySym(t.wordCov[f])
	mean := mat.Trace(c) / float64(t.words)
	for j := range t.words {
		c.SetSym(j, j, c.At(j, j)+wordRidge*mean)
	}
	var ch mat.Cholesky
	var slope mat.Dense
	if mean <= 0 || !ch.Factorize(c) || ch.SolveTo(&slope, t.cross[f]) != nil {
		return nil
	}
	var fit mat.Dense
	fit.Mul(t.wordCov[f], &slope)
	for at := range variance {
		for j := range t.words {
			b := slope.At(j, at)
			variance[at] += b * (fit.At(j, at) - 2*t.cross[f].At(j, at))
		}
		variance[at] = max(0, variance[at])
	}
	return &slope
}

// residual takes from the means and from shared windows what their words account for.
func (t *Summariser) residual(f int, slope *mat.Dense) {
	s := t.s
	size := s.Layers * s.Width
	var y mat.Dense
	for g := range s.Names {
		y.Reset()
		y.Mul(t.wordMean[f][g], slope)
		t.shift(f, g, func(b int) []float64 { return y.RawRowView(b) }, -1)
		if t.place == nil || len(t.place[g]) == 0 {
			continue
		}
		y.Reset()
		y.Mul(mat.NewDense(len(t.place[g]), t.words, t.keptWords[f][g]), slope)
		for k := range t.kept[f][g] {
			t.kept[f][g][k] -= float32(y.At(k/size, k%size))
		}
	}
}

// genomeWords adds to the means, and to the differences of relatives, what the words of whole genomes account for.
func (t *Summariser) genomeWords(f int, slope *mat.Dense) {
	s := t.s
	size := s.Layers * s.Width
	var y mat.Dense
	y.Mul(t.whole[f], slope)
	for g := range s.Names {
		t.shift(f, g, func(int) []float64 { return y.RawRowView(g) }, 1)
	}
	for _, r := range s.Relatives {
		for k := range r.Difference[f] {
			r.Difference[f][k] += float32(y.At(r.I, k%size) - y.At(r.J, k%size))
		}
	}
}

// shift adds a multiple of x(replicate) [layers * width] to the means of a genome.
func (t *Summariser) shift(f, g int, x func(b int) []float64, by float64) {
	s := t.s
	for b := range 1 + s.Replicates {
		row := x(b)
		for l := range s.Layers {
			m := s.mean(f, b, l, g)
			for j := range m {
				m[j] += float32(by * row[l*s.Width+j])
			}
		}
	}
}

// relate estimates the difference of two genomes that share windows; variance is that of windows [layers, width].
func (t *Summariser) relate(p pair, variance [fields][]float64) Relatives {
	s := t.s
	size := s.Layers * s.Width
	out := Relatives{I: p.i, J: p.j, Shared: len(p.keys)}
	n := float64(len(p.keys))
	weights := make([]float64, 1+s.Replicates) // of the shared windows
	each := make([][]float64, len(p.keys))
	for k, key := range p.keys {
		each[k] = t.weights(key)
		floats.Add(weights, each[k])
	}
	for f := range fields {
		state := func(g, k int) []float32 { at := t.place[g][p.keys[k]] * size; return t.kept[f][g][at : at+size] }
		sums := [2][]float64{make([]float64, (1+s.Replicates)*size), make([]float64, (1+s.Replicates)*size)}
		squares := make([]float64, size) // of the differences
		for k := range p.keys {
			x, y := state(p.i, k), state(p.j, k)
			for j := range x {
				d := float64(x[j]) - float64(y[j])
				squares[j] += d * d
			}
			for b, w := range each[k] {
				if w == 0 {
					continue
				}
				a, c := sums[0][b*size:(b+1)*size], sums[1][b*size:(b+1)*size]
				for j := range x {
					a[j] += w * float64(x[j])
					c[j] += w * float64(y[j])
				}
			}
		}
		out.Difference[f] = make([]float32, (1+s.Replicates)*size)
		for l := range s.Layers {
			// left is what share of the variance of windows remains between shared ones, averaged over the channels: 2 for windows that have nothing to do with each other.
			left, channels := 0.0, 0.0
			for j := range s.Width {
				at := l*s.Width + j
				if v := variance[f][at]; v > 0 {
					mean := (sums[0][at] - sums[1][at]) / n
					left += max(0, squares[at]/n-mean*mean) / v
					channels++
				}
			}
			left /= max(channels, 1)
			ui, uj := float64(s.Windows[p.i])-n, float64(s.Windows[p.j])-n
			share := 1.0 // of the shared windows in the estimate
			if ui > 0 && uj > 0 {
				others := 1/ui + 1/uj
				share = others / (others + left/n)
			}
			for b := range 1 + s.Replicates {
				mi, mj := s.mean(f, b, l, p.i), s.mean(f, b, l, p.j)
				w, ni, nj := weights[b], t.total[p.i][b], t.total[p.j][b]
				for j := range s.Width {
					d := float64(mi[j]) - float64(mj[j])
					if at := b*size + l*s.Width + j; w > 0 {
						x, y := sums[0][at], sums[1][at]
						if d = (x - y) / w; ni > w && nj > w {
							d = share*d + (1-share)*((ni*float64(mi[j])-x)/(ni-w)-(nj*float64(mj[j])-y)/(nj-w))
						}
					}
					out.Difference[f][b*size+l*s.Width+j] = float32(d)
				}
			}
		}
	}
	return out
}
