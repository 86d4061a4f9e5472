package lineage

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/selfsame-ml/selfsame/phylo"
)

// Distances between mean states, by name. m1 and m2 are the states of two species, c the mean over all species, S the covariance of windows
// around the mean of their genome (Summary.Cov) with a ridge. The cosine of a state of 0 counts as 0, between two of them as 1.
const (
	Cosine         = "cosine"          // 1 - cos(m1, m2)
	Euclidean      = "euclidean"       // |m1 - m2|
	Centred        = "centred-cosine"  // 1 - cos(m1 - c, m2 - c)
	Whitened       = "whitened"        // sqrt((m1 - m2)' S^-1 (m1 - m2)) (Mahalanobis 1936)
	WhitenedCosine = "whitened-cosine" // centred-cosine of states whitened by S
)

// Distances lists the distances in the order of tables.
func Distances() []string { return []string{Cosine, Euclidean, Centred, Whitened, WhitenedCosine} }

// ridge is the share of the mean variance that is added to each variance before whitening: directions in which windows do not vary would
// else be all that counts.
const ridge = 1e-3

// Variant is a way from the states of a network to distances.
type Variant struct {
	Layer      int    `json:"layer"` // 0 is the first map, the last is what the head reads
	Background bool   `json:"background"`
	Distance   string `json:"distance"`
}

// String is as in tables: "layer 4 - background, euclidean".
func (v Variant) String() string {
	if v.Background {
		return fmt.Sprintf("layer %d - background, %s", v.Layer, v.Distance)
	}
	return fmt.Sprintf("layer %d, %s", v.Layer, v.Distance)
}

// Variants are all variants of a network with so many layers.
func Variants(layers int) []Variant {
	var out []Variant
	for _, b := range []bool{true, false} {
		for _, d := range Distances() {
			for l := range layers {
				out = append(out, Variant{l, b, d})
			}
		}
	}
	return out
}

// Default is the variant where nothing can be chosen for want of a reference: the layer in the middle, without background, Euclidean.
func Default(layers int) Variant { return Variant{layers / 2, true, Euclidean} }

// errCovariance: no genome has two windows that differ, so that nothing can be whitened.
var errCovariance = fmt.Errorf("%w: the covariance of windows has no inverse", ErrStates)

// Space is where a variant takes its distance.
type Space struct {
	s *Summary
	v Variant
	l *mat.TriDense // Cholesky factor of S: L^-1 x is white; nil: not whitened
}

// Space prepares a variant.
func (s *Summary) Space(v Variant) (*Space, error) {
	if v.Layer < 0 || v.Layer >= s.Layers {
		return nil, fmt.Errorf("lineage: layer %d, there are 0..%d", v.Layer, s.Layers-1)
	}
	if !slices.Contains(Distances(), v.Distance) {
		return nil, fmt.Errorf("lineage: distance %q is not one of %v", v.Distance, Distances())
	}
	p := &Space{s: s, v: v}
	if v.Distance != Whitened && v.Distance != WhitenedCosine {
		return p, nil
	}
	cov := mat.NewSymDense(s.Width, nil)
	for i := range s.Width {
		for j := range i + 1 {
			cov.SetSym(i, j, float64(s.Cov[fieldOf(v.Background)][(v.Layer*s.Width+i)*s.Width+j]))
		}
	}
	mean := mat.Trace(cov) / float64(s.Width)
	for j := range s.Width {
		cov.SetSym(j, j, cov.At(j, j)+ridge*mean)
	}
	var ch mat.Cholesky
	if mean <= 0 || !ch.Factorize(cov) {
		return nil, fmt.Errorf("%w (%s)", errCovariance, v)
	}
	p.l = mat.NewTriDense(s.Width, mat.Lower, nil)
	ch.LTo(p.l)
	return p, nil
}

// Matrix gives the distances between the species; replicate 0 is of all windows, 1..Replicates are of the bootstrap.
func (p *Space) Matrix(replicate int) (*phylo.Matrix, error) {
	s := p.s
	n, w := len(s.Names), s.Width
	x := mat.NewDense(w, n, nil)
	for g := range n {
		for j, v := range s.mean(fieldOf(p.v.Background), replicate, p.v.Layer, g) {
			x.Set(j, g, float64(v))
		}
	}
	if p.v.Distance == Centred || p.v.Distance == WhitenedCosine {
		for j := range w {
			row := x.RawRowView(j)
			c := 0.0
			for _, v := range row {
				c += v / float64(n)
			}
			for g := range row {
				row[g] -= c
			}
		}
	}
	if p.l != nil {
		var y mat.Dense
		if err := y.Solve(p.l, x); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStates, err)
		}
		x = &y
	}
	out := phylo.NewMatrix(slices.Clone(s.Names))
	cols := make([][]float64, n)
	for g := range cols {
		cols[g] = mat.Col(nil, g, x)
	}
	for i := range n {
		for j := range i {
			var ab, aa, bb, dd float64
			for k, a := range cols[i] {
				b := cols[j][k]
				ab, aa, bb, dd = ab+a*b, aa+a*a, bb+b*b, dd+(a-b)*(a-b)
			}
			d := math.Sqrt(dd)
			if p.v.Distance != Euclidean && p.v.Distance != Whitened {
				switch {
				case aa > 0 && bb > 0:
					d = math.Max(0, 1-ab/math.Sqrt(aa*bb))
				case aa == bb:
					d = 0
				default: // a state of 0 has no direction: as far as one at a right angle
					d = 1
				}
			}
			out.Set(i, j, d)
		}
	}
	return out, nil
}

// Matrix gives the distances between the species under a variant.
func (s *Summary) Matrix(v Variant) (*phylo.Matrix, error) {
	p, err := s.Space(v)
	if err != nil {
		return nil, err
	}
	return p.Matrix(0)
}
