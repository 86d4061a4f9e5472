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

// Kind is what of a network is averaged over a genome.
type Kind int

// Kinds.
const (
	State Kind = iota // the hidden state of a layer
	Score             // the Fisher score of a layer: what it could still add to the prediction, see genome.Encoder.Layers
	kinds
)

var kindNames = [kinds]string{"state", "score"}

// String is "state" or "score".
func (k Kind) String() string {
	if k < 0 || k >= kinds {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// MarshalText is String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *Kind) UnmarshalText(b []byte) error {
	i := slices.Index(kindNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("lineage: kind %q is neither %s nor %s", b, State, Score)
	}
	*k = Kind(i)
	return nil
}

// Summary is what trees need of the hidden states of one network.
type Summary struct {
	Names      []string // of the genomes
	Layers     int
	Width      [kinds]int
	Replicates int              // of the bootstrap
	Mean       [kinds][]float32 // [1 + Replicates, layers, genomes, width]; the first are the means themselves
	Cov        [kinds][]float32 // [layers, width, width]: covariance of windows around the mean of their genome, mean over genomes of two windows or more
	Windows    []int            // of each genome
}

// mean is the mean [width] of a genome.
func (s *Summary) mean(kind Kind, replicate, layer, genome int) []float32 {
	at := ((replicate*s.Layers+layer)*len(s.Names) + genome) * s.Width[kind]
	return s.Mean[kind][at : at+s.Width[kind]]
}

// Of is the mean [width] of a genome in a layer.
func (s *Summary) Of(kind Kind, layer, genome int) []float32 { return s.mean(kind, 0, layer, genome) }

// Summariser adds up the states and scores of windows.
type Summariser struct {
	s       *Summary
	seed    uint64
	sum     [kinds][]float64 // of one genome: [1 + replicates, layers, width]
	n       []float64        // [1 + replicates]
	rows    [kinds][]float64 // of one genome: [windows, layers, width]
	cov     [kinds][]*mat.SymDense
	used    int // genomes in cov
	windows int // of the genome at hand
}

// Window is what Add takes of a window.
type Window struct {
	Key            uint64      // of the word it begins with
	States, Scores [][]float32 // means over its positions [layers][width]
}

// size of a window [layers, width].
func (t *Summariser) size(kind Kind) int { return t.s.Layers * t.s.Width[kind] }

// NewSummariser begins a summary of networks with so many layers, of which a state and a score have so many channels. The bootstrap resamples windows by Poisson weights keyed by the seed and the word
// that a window begins with (Hanley & MacGibbon 2006), so that homologous windows of relatives come and go together.
func NewSummariser(names []string, layers, state, score, replicates int, seed uint64) *Summariser {
	t := &Summariser{s: &Summary{Names: names, Layers: layers, Width: [kinds]int{state, score}, Replicates: replicates, Windows: make([]int, len(names))}, seed: seed}
	t.n = make([]float64, 1+replicates)
	for k, width := range t.s.Width {
		t.s.Mean[k] = make([]float32, (1+replicates)*layers*len(names)*width)
		t.s.Cov[k] = make([]float32, layers*width*width)
		t.sum[k] = make([]float64, (1+replicates)*layers*width)
		for range layers {
			t.cov[k] = append(t.cov[k], mat.NewSymDense(width, nil))
		}
	}
	return t
}

// Add adds a window of the genome at hand.
func (t *Summariser) Add(x Window) {
	for k, means := range [kinds][][]float32{x.States, x.Scores} {
		for _, row := range means {
			for _, v := range row {
				t.rows[k] = append(t.rows[k], float64(v))
			}
		}
	}
	t.windows++
	for b, w := range t.weights(x.Key) {
		if w == 0 {
			continue
		}
		t.n[b] += w
		for k := range kinds {
			size := t.size(k)
			floats.AddScaled(t.sum[k][b*size:(b+1)*size], w, t.rows[k][len(t.rows[k])-size:])
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
	s, n := t.s, t.windows
	if s.Windows[g] = n; n == 0 {
		return fmt.Errorf("%w: the genome %q has no window", ErrStates, s.Names[g])
	}
	for k, width := range s.Width {
		kind := Kind(k)
		size := t.size(kind)
		for b := range 1 + s.Replicates {
			from := b
			if t.n[b] == 0 { // a replicate of a few windows can have none
				from = 0
			}
			for l := range s.Layers {
				m := s.mean(kind, b, l, g)
				for j := range m {
					v := t.sum[k][from*size+l*width+j] / t.n[from]
					if m[j] = float32(v); math.IsNaN(v) || math.IsInf(float64(m[j]), 0) {
						return fmt.Errorf("%w: a %s of the genome %q is %g", ErrStates, kind, s.Names[g], v)
					}
				}
			}
		}
		if n > 1 {
			x := mat.NewDense(n, width, nil)
			for l := range s.Layers {
				for w := range n {
					row := x.RawRowView(w)
					copy(row, t.rows[k][w*size+l*width:])
					for j := range row {
						row[j] -= t.sum[k][l*width+j] / t.n[0]
					}
				}
				t.cov[k][l].SymRankK(t.cov[k][l], 1/float64(n-1), x.T())
			}
		}
		clear(t.sum[k])
		t.rows[k] = t.rows[k][:0]
	}
	if n > 1 {
		t.used++
	}
	t.windows = 0
	clear(t.n)
	return nil
}

// Summary ends the last genome's work.
func (t *Summariser) Summary() *Summary {
	s := t.s
	for k, width := range s.Width {
		for l, c := range t.cov[k] {
			for i := range width {
				for j := range width {
					s.Cov[k][(l*width+i)*width+j] = float32(c.At(i, j) / float64(max(t.used, 1)))
				}
			}
		}
	}
	return s
}
