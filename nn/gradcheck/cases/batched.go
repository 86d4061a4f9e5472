package cases

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
)

func init() {
	for _, c := range []struct {
		name       string
		n, m, k, p int
	}{{"three pairs", 3, 4, 5, 2}, {"one pair", 1, 3, 2, 4}, {"one row", 4, 1, 3, 1}, {"one term", 2, 3, 1, 3}} {
		gradcheck.Register(gradcheck.Case{Layer: "BatchedMatMul", Name: c.name, Inputs: []gradcheck.Input{gradcheck.F(c.n, c.m, c.k), gradcheck.F(c.n, c.k, c.p)},
			Forward: func(in nodes) *graph.Node { return nn.BatchedMatMul(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 {
				y := make([]float64, c.n*c.m*c.p)
				for i := range c.n {
					for r := range c.m {
						for o := range c.p {
							for j := range c.k {
								y[(i*c.m+r)*c.p+o] += in[0][(i*c.m+r)*c.k+j] * in[1][(i*c.k+j)*c.p+o]
							}
						}
					}
				}
				return y
			}})
	}
	for _, c := range []struct {
		name    string
		n, m, k int
	}{{"two rows", 2, 4, 3}, {"one frequency", 3, 2, 1}, {"one number", 1, 1, 4}} {
		gradcheck.Register(gradcheck.Case{Layer: "Periodic", Name: c.name,
			Inputs:  []gradcheck.Input{gradcheck.F(c.n, c.m), {Dims: []int{c.n, c.k}, Scale: 0.2}},
			Forward: func(in nodes) *graph.Node { return nn.Periodic(in[0], in[1]) },
			Reference: func(in [][]float64) []float64 {
				y := make([]float64, c.n*c.m*2*c.k)
				for i := range c.n {
					for r := range c.m {
						for j := range c.k {
							sin, cos := math.Sincos(2 * math.Pi * in[0][i*c.m+r] * in[1][i*c.k+j])
							at := (i*c.m + r) * 2 * c.k
							y[at+j], y[at+c.k+j] = sin, cos
						}
					}
				}
				return y
			}})
	}
}
