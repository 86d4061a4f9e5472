package lineage

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
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
	// Standardised is sqrt(sum over j of (m1_j - m2_j)^2 / S_jj) (the standardised Euclidean distance). The few channels in which windows vary most lead the Euclidean
	// distance; near relatives, which differ by chance in all of them, want many to average over. Whitening averages over all directions, but
	// so weighs those up in which genomes hardly differ.
	Standardised = "standardised"
	// Both is the mean of Standardised and Whitened, each divided by its mean over all pairs. Between strangers the whitened distance is nearly the same, so that the standardised
	// one orders them; between near relatives, whose standardised distance is that of a few channels and so of luck, the whitened one does.
	Both = "standardised+whitened"
)

// Distances lists the distances in the order of tables.
func Distances() []string {
	return []string{Cosine, Euclidean, Standardised, Centred, Whitened, WhitenedCosine, Both}
}

// whitens tells whether a distance wants the covariance of windows.
func whitens(distance string) bool {
	return distance == Standardised || distance == Whitened || distance == WhitenedCosine || distance == Both
}

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

// Default is the variant where nothing can be chosen for want of a reference: a low layer (a quarter of the way up), without background, in both distances.
func Default(layers int) Variant { return Variant{min(max(1, layers/4), layers-1), true, Both} }

// errCovariance: no genome has two windows that differ, so that nothing can be whitened.
var errCovariance = fmt.Errorf("%w: the covariance of windows has no inverse", ErrStates)

// Space is where a variant takes its distance.
type Space struct {
	s *Summary
	v Variant
	l []*mat.TriDense // Cholesky factor of S, or the root of its diagonal: L^-1 x is white, or standardised; nil: neither. Of Both one of each
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
	if !whitens(v.Distance) {
		p.l = []*mat.TriDense{nil}
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
	factor := func() error {
		var ch mat.Cholesky
		if mean <= 0 || !ch.Factorize(cov) {
			return fmt.Errorf("%w (%s)", errCovariance, v)
		}
		l := mat.NewTriDense(s.Width, mat.Lower, nil)
		ch.LTo(l)
		p.l = append(p.l, l)
		return nil
	}
	if v.Distance != Standardised {
		if err := factor(); err != nil {
			return nil, err
		}
	}
	if v.Distance == Standardised || v.Distance == Both {
		for i := range s.Width {
			for j := range i {
				cov.SetSym(i, j, 0)
			}
		}
		if err := factor(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Matrix gives the distances between the species; replicate 0 is of all windows, 1..Replicates are of the bootstrap. Of relatives the difference of the mean states
// is that of Summary.Relatives.
func (p *Space) Matrix(replicate int) (*phylo.Matrix, error) {
	var ms []*phylo.Matrix
	for _, l := range p.l {
		m, err := p.matrix(replicate, l)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return together(ms), nil
}

func (p *Space) matrix(replicate int, l *mat.TriDense) (*phylo.Matrix, error) {
	s := p.s
	n, w, field := len(s.Names), s.Width, fieldOf(p.v.Background)
	x := mat.NewDense(w, n+len(s.Relatives), nil) // the states, then the differences of relatives
	for g := range n {
		for j, v := range s.mean(field, replicate, p.v.Layer, g) {
			x.Set(j, g, float64(v))
		}
	}
	for k, r := range s.Relatives {
		at := (replicate*s.Layers + p.v.Layer) * w
		for j, v := range r.Difference[field][at : at+w] {
			x.Set(j, n+k, float64(v))
		}
	}
	if p.v.Distance == Centred || p.v.Distance == WhitenedCosine {
		for j := range w {
			row := x.RawRowView(j)[:n]
			c := 0.0
			for _, v := range row {
				c += v / float64(n)
			}
			for g := range row {
				row[g] -= c
			}
		}
	}
	if l != nil {
		var y mat.Dense
		if err := y.Solve(l, x); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStates, err)
		}
		x = &y
	}
	cols := make([][]float64, n+len(s.Relatives))
	for g := range cols {
		cols[g] = mat.Col(nil, g, x)
	}
	out := phylo.NewMatrix(slices.Clone(s.Names))
	angle := p.v.Distance == Cosine || p.v.Distance == Centred || p.v.Distance == WhitenedCosine
	for i := range n {
		for j := range i {
			d := floats.Distance(cols[i], cols[j], 2)
			if angle {
				d = cosine(cols[i], cols[j])
			}
			out.Set(i, j, d)
		}
	}
	for k, r := range s.Relatives {
		d := floats.Norm(cols[n+k], 2)
		if angle {
			d = cosineAt(cols[r.I], cols[r.J], d)
		}
		out.Set(r.I, r.J, d)
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

// cosineAt is the cosine distance of two states at a distance d from each other that is not quite theirs: the law of cosines.
func cosineAt(a, b []float64, d float64) float64 {
	x, y := floats.Norm(a, 2), floats.Norm(b, 2)
	if x == 0 || y == 0 {
		return cosine(a, b)
	}
	return min(max(0, (d*d-(x-y)*(x-y))/(2*x*y)), 2)
}

// Matrix gives the distances between the species under a variant.
func (s *Summary) Matrix(v Variant) (*phylo.Matrix, error) {
	p, err := s.Space(v)
	if err != nil {
		return nil, err
	}
	return p.Matrix(0)
}
