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

// relatives of genomes j < i: the place in s.Relatives, or -1.
func (s *Summary) relatives(i, j int) int {
	return slices.IndexFunc(s.Relatives, func(r Relatives) bool { return r.I == i && r.J == j })
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

// Add adds a window of the genome at hand: its mean states [layers][width] and those of its background; key is of the word it begins with.
func (t *Summariser) Add(key uint64, states, background [][]float32) {
	s := t.s
	t.keys = append(t.keys, key)
	for l := range s.Layers {
		for j := range s.Width {
			v := float64(states[l][j])
			t.rows[Raw] = append(t.rows[Raw], v)
			t.rows[Net] = append(t.rows[Net], v-float64(background[l][j]))
		}
	}
	size := s.Layers * s.Width
	for b, w := range t.weights(key) {
		if w == 0 {
			continue
		}
		t.n[b] += w
		for f := range fields {
			row, sum := t.rows[f][len(t.rows[f])-size:], t.sum[f][b*size:(b+1)*size]
			for j, v := range row {
				sum[j] += w * v
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
			}
		}
	}
	if t.place != nil {
		t.total[g] = slices.Clone(t.n)
		for w, key := range t.keys {
			if k, ok := t.place[g][key]; ok {
				for f := range fields {
					kept := t.kept[f][g][k*size : (k+1)*size]
					for j, v := range t.rows[f][w*size : (w+1)*size] {
						kept[j] = float32(v)
					}
				}
			}
		}
	}
	for f := range fields {
		clear(t.sum[f])
		t.rows[f] = t.rows[f][:0]
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
	for _, p := range t.pairs {
		s.Relatives = append(s.Relatives, t.relate(p))
	}
	t.pairs, t.place, t.kept = nil, nil, [fields][][]float32{}
	return s
}

// relate estimates the difference of two genomes that share windows.
func (t *Summariser) relate(p pair) Relatives {
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
				if v := float64(s.Cov[f][at*s.Width+j]); v > 0 {
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
