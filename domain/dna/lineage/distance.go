package lineage

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/selfsame-ml/selfsame/phylo"
)

// Distances between species, by name. m1 and m2 are the mean states or scores of two species, c the mean over all species, S the covariance of windows
// around the mean of their genome (Summary.Cov) with a ridge. The cosine of a mean of 0 counts as 0, between two of them as 1.
const (
	Cosine    = "cosine"         // 1 - cos(m1, m2)
	Euclidean = "euclidean"      // |m1 - m2|
	Centred   = "centred-cosine" // 1 - cos(m1 - c, m2 - c)
	// Whitened is sqrt((m1 - m2)' S^-1 (m1 - m2)) (Mahalanobis 1936). The covariance of scores estimates the Fisher information, so that of scores it is the distance of the
	// Fisher kernel (Jaakkola & Haussler 1998).
	Whitened       = "whitened"
	WhitenedCosine = "whitened-cosine" // centred-cosine after whitening by S
	Standardised   = "standardised"    // sqrt(sum over j of (m1_j - m2_j)^2 / S_jj)
)

// Distances lists the distances in the order of tables.
func Distances() []string {
	return []string{Cosine, Euclidean, Standardised, Centred, Whitened, WhitenedCosine}
}

// whitens tells whether a distance wants the covariance of windows.
func whitens(distance string) bool {
	return distance == Standardised || distance == Whitened || distance == WhitenedCosine
}

// ridge is the share of the mean variance that is added to each variance before whitening: directions in which windows do not vary would
// else be all that counts.
const ridge = 1e-3

// Variant is a way from a network to distances.
type Variant struct {
	Layer    int    `json:"layer"` // 0 is the first map, the last is what the head reads
	Kind     Kind   `json:"kind"`
	Distance string `json:"distance"`
}

// String is as in tables: "layer 4, score, whitened".
func (v Variant) String() string { return fmt.Sprintf("layer %d, %s, %s", v.Layer, v.Kind, v.Distance) }

// Variants are all variants of some kinds of a network with so many layers.
func Variants(layers int, kinds ...Kind) []Variant {
	var out []Variant
	for _, k := range kinds {
		for _, d := range Distances() {
			for l := range layers {
				out = append(out, Variant{l, k, d})
			}
		}
	}
	return out
}

// Default is the variant where nothing can be chosen for want of a reference: the scores of the middle layer in the distance of the Fisher kernel.
func Default(layers int) Variant { return Variant{layers / 2, Score, Whitened} }

// errCovariance: no genome has two windows that differ, so that nothing can be whitened.
var errCovariance = fmt.Errorf("%w: the covariance of windows has no inverse", ErrStates)

// Space is where a variant takes its distance.
type Space struct {
	s *Summary
	v Variant
	l *mat.TriDense // Cholesky factor of S, or the root of its diagonal: L^-1 x is white, or standardised; nil: neither
}

// Space prepares a variant.
func (s *Summary) Space(v Variant) (*Space, error) {
	if v.Layer < 0 || v.Layer >= s.Layers {
		return nil, fmt.Errorf("lineage: layer %d, there are 0..%d", v.Layer, s.Layers-1)
	}
	if !slices.Contains(Distances(), v.Distance) {
		return nil, fmt.Errorf("lineage: distance %q is not one of %v", v.Distance, Distances())
	}
	if v.Kind < 0 || v.Kind >= kinds {
		return nil, fmt.Errorf("lineage: %s is neither %s nor %s", v.Kind, State, Score)
	}
	p := &Space{s: s, v: v}
	if !whitens(v.Distance) {
		return p, nil
	}
	w := s.Width[v.Kind]
	cov := mat.NewSymDense(w, nil)
	for i := range w {
		for j := range i + 1 {
			if i == j || v.Distance != Standardised {
				cov.SetSym(i, j, float64(s.Cov[v.Kind][(v.Layer*w+i)*w+j]))
			}
		}
	}
	mean := mat.Trace(cov) / float64(w)
	for j := range w {
		cov.SetSym(j, j, cov.At(j, j)+ridge*mean)
	}
	var ch mat.Cholesky
	if mean <= 0 || !ch.Factorize(cov) {
		return nil, fmt.Errorf("%w (%s)", errCovariance, v)
	}
	p.l = mat.NewTriDense(w, mat.Lower, nil)
	ch.LTo(p.l)
	return p, nil
}

// Matrix gives the distances between the species; replicate 0 is of all windows, 1..Replicates are of the bootstrap.
func (p *Space) Matrix(replicate int) (*phylo.Matrix, error) {
	s := p.s
	n, w, kind := len(s.Names), s.Width[p.v.Kind], p.v.Kind
	x := mat.NewDense(w, n, nil)
	for g := range n {
		for j, v := range s.mean(kind, replicate, p.v.Layer, g) {
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
	cols := make([][]float64, n)
	for g := range cols {
		cols[g] = mat.Col(nil, g, x)
	}
	out := phylo.NewMatrix(slices.Clone(s.Names))
	angle := p.v.Distance == Cosine || p.v.Distance == Centred || p.v.Distance == WhitenedCosine
	for i := range n {
		for j := range i {
			if angle {
				out.Set(i, j, cosine(cols[i], cols[j]))
			} else {
				out.Set(i, j, floats.Distance(cols[i], cols[j], 2))
			}
		}
	}
	return out, nil
}

// cosine is 1 - cos(a, b). A state of 0 has no direction: it is as far as one at a right angle, and at 0 from another.
func cosine(a, b []float64) float64 {
	aa, bb := floats.Dot(a, a), floats.Dot(b, b)
	switch {
	case aa > 0 && bb > 0:
		return math.Max(0, 1-floats.Dot(a, b)/math.Sqrt(aa*bb))
	case aa == bb:
		return 0
	}
	return 1
}

// Matrix gives the distances between the species under a variant.
func (s *Summary) Matrix(v Variant) (*phylo.Matrix, error) {
	p, err := s.Space(v)
	if err != nil {
		return nil, err
	}
	return p.Matrix(0)
}
