package objective

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Health are the label-free measures of a set of features.
type Health struct {
	Rows          int     `json:"rows"`
	Dim           int     `json:"dim"`
	EffectiveRank float64 `json:"effective_rank"` // 1 to min(rows, dim): see EffectiveRank
	Spread        float64 `json:"spread"`         // times sqrt(dim): 0 collapsed, about 1 on a sphere filled evenly
	Uniformity    float64 `json:"uniformity"`     // 0 collapsed, lower is better
	Alignment     float64 `json:"alignment"`      // squared distance of two views, 0 to 4; -1 where one view was given
}

// The verdicts of a health watch.
const (
	Healthy   = "healthy"
	LowRank   = "dimensional collapse"
	Collapsed = "collapse"
)

// The limits of Verdict: ours, not a paper's. They lie below what untrained encoders show, whose
// features share a large mean: a residual network on Fashion-MNIST with the running statistics of its start has
// spread 0.03 to 0.11 and effective rank 1.4 to 3.5.
const (
	minSpread = 0.01 // of the spread of a sphere filled evenly
	minRank   = 1.2
)

// ErrFeatures is wrapped where features cannot be measured.
var ErrFeatures = errors.New("objective: features")

// Measure returns all measures of features a [rows, dim] (flat, row-major), and of their alignment
// with the features b of another view of the same samples (nil: none). Cost grows with
// rows^2 dim; a few hundred to two thousand rows are enough.
func Measure(a, b []float32, dim int) (Health, error) {
	rows, err := shape(a, dim)
	if err != nil {
		return Health{}, err
	}
	h := Health{Rows: rows, Dim: dim, Alignment: -1}
	if b != nil {
		if h.Alignment, err = Alignment(a, b, dim); err != nil {
			return Health{}, err
		}
	}
	if h.EffectiveRank, err = EffectiveRank(a, dim); err != nil {
		return Health{}, err
	}
	if h.Spread, err = Spread(a, dim); err != nil {
		return Health{}, err
	}
	h.Spread *= math.Sqrt(float64(dim))
	h.Uniformity, err = Uniformity(a, dim)
	return h, err
}

// Verdict names collapse that is beyond doubt: all rows in one direction (spread below 1 % of an
// even sphere's) or on one line (effective rank below 1.2; the extreme of what Jing et al. 2022,
// arXiv:2110.09348, call dimensional collapse).
//
// Measure the projections that enter the loss, not only the encoder's features, and compare with
// the same network before training: batch norm keeps features apart while the projections shrink to
// one point. A residual network trained without negatives went from spread 0.29 to 0.02 in its
// projections and from 0.40 to 0.35 only in its features.
func (h Health) Verdict() string {
	switch {
	case !(h.Spread >= minSpread):
		return Collapsed
	case h.EffectiveRank < minRank && min(h.Rows, h.Dim) > 1:
		return LowRank
	}
	return Healthy
}

// String says the verdict with the numbers behind it.
func (h Health) String() string {
	s := fmt.Sprintf("%s (effective rank %.1f of %d, spread %.2f, uniformity %.2f",
		h.Verdict(), h.EffectiveRank, min(h.Rows, h.Dim), h.Spread, h.Uniformity)
	if h.Alignment >= 0 {
		s += fmt.Sprintf(", alignment %.3f", h.Alignment)
	}
	return s + ")"
}

// EffectiveRank is the exponential of the entropy of the singular values s of x [rows, dim], not
// centred (Roy & Vetterli 2007; as a label-free measure RankMe, Garrido et al. 2023,
// arXiv:2210.02885):
//
//	p_k = s_k / sum_l s_l,   rank = exp(-sum_k p_k log p_k)
//
// It lies between 1 and min(rows, dim); zero features have rank 0.
func EffectiveRank(x []float32, dim int) (float64, error) {
	rows, err := shape(x, dim)
	if err != nil {
		return 0, err
	}
	// Eigenvalues of the smaller Gram matrix are the squared singular values. The features are
	// scaled by their greatest value first; the root keeps about eight digits, enough here.
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(float64(v)))
	}
	if top == 0 {
		return 0, nil
	}
	f := make([]float64, len(x))
	for i, v := range x {
		f[i] = float64(v) / top
	}
	z := mat.NewDense(rows, dim, f)
	var gram mat.SymDense
	if rows < dim {
		gram.SymOuterK(1, z)
	} else {
		gram.SymOuterK(1, z.T())
	}
	var eig mat.EigenSym
	if !eig.Factorize(&gram, false) {
		return 0, fmt.Errorf("%w: eigenvalues of a %dx%d matrix were not found", ErrFeatures, gram.SymmetricDim(), gram.SymmetricDim())
	}
	s := eig.Values(nil)
	greatest, sum := s[len(s)-1], 0.0
	for i, v := range s {
		if v < 1e-14*greatest { // rounding of the Gram matrix
			v = 0
		}
		s[i] = math.Sqrt(v)
		sum += s[i]
	}
	entropy := 0.0
	for _, v := range s {
		if v > 0 {
			entropy -= v / sum * math.Log(v/sum)
		}
	}
	return math.Exp(entropy), nil
}

// Spread is the standard deviation over the rows of the L2-normalised features, averaged over the
// features (Chen & He 2021, arXiv:2011.10566, figure 2): 0 where all rows point the same way,
// 1/sqrt(dim) where they fill the sphere evenly.
func Spread(x []float32, dim int) (float64, error) {
	u, err := directions(x, dim)
	if err != nil {
		return 0, err
	}
	n := float64(len(u) / dim)
	var sum float64
	for j := range dim {
		var m, v float64
		for i := j; i < len(u); i += dim {
			m += u[i] / n
		}
		for i := j; i < len(u); i += dim {
			v += (u[i] - m) * (u[i] - m) / n
		}
		sum += math.Sqrt(v)
	}
	return sum / float64(dim), nil
}

// Alignment is the mean squared distance of the L2-normalised features a, b [rows, dim] of two views
// of the same samples (Wang & Isola 2020, arXiv:2005.10242, section 4.1 with alpha 2):
// 0 (equal) to 4 (opposite).
func Alignment(a, b []float32, dim int) (float64, error) {
	u, err := directions(a, dim)
	if err != nil {
		return 0, err
	}
	v, err := directions(b, dim)
	if err != nil {
		return 0, err
	}
	if len(u) != len(v) {
		return 0, fmt.Errorf("%w: views of %d and %d rows", ErrFeatures, len(u)/dim, len(v)/dim)
	}
	var sum float64
	for i := range u {
		sum += (u[i] - v[i]) * (u[i] - v[i])
	}
	return sum / float64(len(u)/dim), nil
}

// Uniformity is the logarithm of the mean Gaussian potential of all pairs of different rows of the
// L2-normalised features x [rows, dim] (Wang & Isola 2020, arXiv:2005.10242, section 4.1 with t = 2):
//
//	log mean_{i<j} exp(-2 |u_i - u_j|^2)
//
// 0 where all rows point the same way, towards -4 where they fill a sphere of many dimensions evenly.
// One row has no pair: 0.
func Uniformity(x []float32, dim int) (float64, error) {
	u, err := directions(x, dim)
	if err != nil {
		return 0, err
	}
	n := len(u) / dim
	if n < 2 {
		return 0, nil
	}
	var sum float64
	for i := range n {
		a := u[i*dim : (i+1)*dim]
		for j := range i {
			b := u[j*dim : (j+1)*dim]
			var sq float64
			for k := range a {
				d := a[k] - b[k]
				sq += d * d
			}
			sum += math.Exp(-2 * sq)
		}
	}
	return math.Log(sum / (float64(n) * float64(n-1) / 2)), nil
}

// directions returns the rows of x divided by their lengths; rows of length zero stay zero.
func directions(x []float32, dim int) ([]float64, error) {
	if _, err := shape(x, dim); err != nil {
		return nil, err
	}
	u := make([]float64, len(x))
	for i := 0; i < len(x); i += dim {
		var sq float64
		for _, v := range x[i : i+dim] {
			sq += float64(v) * float64(v)
		}
		if sq == 0 {
			continue
		}
		inv := 1 / math.Sqrt(sq)
		for j, v := range x[i : i+dim] {
			u[i+j] = float64(v) * inv
		}
	}
	return u, nil
}

// shape returns the rows of flat features and refuses what cannot be measured.
func shape(x []float32, dim int) (rows int, err error) {
	if dim < 1 || len(x) == 0 || len(x)%dim != 0 {
		return 0, fmt.Errorf("%w: %d numbers do not make rows of %d", ErrFeatures, len(x), dim)
	}
	for i, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, fmt.Errorf("%w: %g in row %d, feature %d", ErrFeatures, v, i/dim, i%dim)
		}
	}
	return len(x) / dim, nil
}
