package phylo

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// ClassicalMDS places the taxa of m in dims dimensions such that their Euclidean distances come close to
// those of m (classical scaling: Torgerson 1952, Gower 1966). It returns coordinates [taxa][dims] and
// for each dimension its share of the sum of the positive eigenvalues. Dimensions that the distances do
// not have are zero. Of each dimension the coordinate farthest from 0 is positive.
func ClassicalMDS(m *Matrix, dims int) (coords [][]float64, share []float64, err error) {
	if err := m.Check(); err != nil {
		return nil, nil, err
	}
	if dims < 1 {
		return nil, nil, fmt.Errorf("phylo: %d dimensions, at least 1 expected", dims)
	}
	n := m.Len()
	// B = -1/2 J D² J, J the centring matrix.
	mean := make([]float64, n)
	all := 0.0
	square := func(i, j int) float64 { d := m.At(i, j)/2 + m.At(j, i)/2; return d * d }
	for i := range n {
		for j := range n {
			mean[i] += square(i, j) / float64(n)
		}
		all += mean[i] / float64(n)
	}
	b := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			b.SetSym(i, j, -(square(i, j)-mean[i]-mean[j]+all)/2)
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(b, true) {
		return nil, nil, errors.New("phylo: the eigenvalues of the distances do not converge")
	}
	values := eig.Values(nil) // ascending
	var vectors mat.Dense
	eig.VectorsTo(&vectors)
	sum := 0.0
	for _, v := range values {
		sum += max(0, v)
	}
	coords = make([][]float64, n)
	for i := range coords {
		coords[i] = make([]float64, dims)
	}
	share = make([]float64, dims)
	for k := range min(dims, n) {
		col := n - 1 - k
		v := values[col]
		if v <= sum*1e-12 {
			break
		}
		share[k] = v / sum
		far := 0
		for i := range n {
			// Of coordinates equal up to rounding the first one decides.
			if math.Abs(vectors.At(i, col)) > math.Abs(vectors.At(far, col))*(1+1e-9) {
				far = i
			}
		}
		sign := math.Sqrt(v)
		if vectors.At(far, col) < 0 {
			sign = -sign
		}
		for i := range n {
			coords[i][k] = sign * vectors.At(i, col)
		}
	}
	return coords, share, nil
}
