package lineage

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

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

// Add adds a window of the genome at hand: its mean states [layers][width] and those of its background; key is of the word it begins with.
func (t *Summariser) Add(key uint64, states, background [][]float32) {
	s := t.s
	for l := range s.Layers {
		for j := range s.Width {
			v := float64(states[l][j])
			t.rows[Raw] = append(t.rows[Raw], v)
			t.rows[Net] = append(t.rows[Net], v-float64(background[l][j]))
		}
	}
	size := s.Layers * s.Width
	r := rng.New(t.seed, rng.Probe, 13, key)
	for b := range 1 + s.Replicates {
		w := 1.0
		if b > 0 {
			if w = poisson(r); w == 0 {
				continue
			}
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
		clear(t.sum[f])
		t.rows[f] = t.rows[f][:0]
	}
	if n > 1 {
		t.used++
	}
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
	return s
}
