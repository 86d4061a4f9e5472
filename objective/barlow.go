package objective

import (
	"github.com/gomlx/gomlx/core/graph"
)

// BarlowLambda is the weight of the off-diagonal terms in the paper.
const BarlowLambda = 5e-3

// Barlow is the Barlow Twins loss (Zbontar et al. 2021, arXiv:2103.03230, eq. 1 and 2):
//
//	C_jk = 1/batch sum_n a_nj b_nk,   L = sum_j (1 - C_jj)^2 + lambda sum_{j != k} C_jk^2
//
// with a, b [batch, dim] the two views, each feature standardised over the batch with the biased
// variance plus 1e-5 (a batch norm without gain, as in the authors' program). For more views L is
// the mean over pairs.
//
// z is [views*batch, dim] in view-major order, views >= 2, not normalised; lambda 0 stands for
// [BarlowLambda]. With a batch of one nothing correlates: the loss is dim and the gradient zero.
func Barlow(z *graph.Node, views int, lambda float64) *graph.Node {
	n := batch("Barlow", z, views)
	need(views >= 2, "Barlow: %d view, want at least 2", views)
	need(lambda >= 0, "Barlow: lambda %g is negative", lambda)
	if lambda == 0 {
		lambda = BarlowLambda
	}
	vs := split("Barlow", z, views)
	for i, a := range vs {
		x := graph.Sub(a, graph.ReduceAndKeep(a, graph.ReduceMean, 0))
		variance := graph.ReduceAndKeep(graph.Square(x), graph.ReduceMean, 0)
		vs[i] = graph.Mul(x, inverseRoot(graph.AddScalar(variance, 1e-5)))
	}
	dim := z.Shape().Dimensions[1]
	row, col := indices(z.Graph(), dim, dim)
	diagonal := graph.Equal(row, col)
	var loss *graph.Node
	for i, a := range vs {
		for _, b := range vs[i+1:] {
			c := graph.MulScalar(graph.Einsum("ni,nj->ij", a, b), 1/float64(n))
			on := graph.Square(graph.OneMinus(c))
			l := graph.ReduceAllSum(graph.Where(diagonal, on, graph.MulScalar(graph.Square(c), lambda)))
			if loss == nil {
				loss = l
			} else {
				loss = graph.Add(loss, l)
			}
		}
	}
	return graph.MulScalar(loss, 2/float64(views*(views-1)))
}
