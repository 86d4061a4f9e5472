package objective

import (
	"github.com/gomlx/gomlx/core/graph"
)

// VICRegConfig weighs the three terms of [VICReg]. The zero value stands for [VICRegDefaults].
type VICRegConfig struct {
	Invariance, Variance, Covariance float64
}

// VICRegDefaults are the weights of the paper: 25, 25 and 1.
var VICRegDefaults = VICRegConfig{25, 25, 1}

// VICReg is variance-invariance-covariance regularisation (Bardes, Ponce & LeCun 2022,
// arXiv:2105.04906), with the scalings of the authors' program, for which the weights
// 25, 25, 1 are stated. For two views a, b [batch, dim]:
//
//	s = 1/(batch dim) sum (a-b)^2
//	v(a) = 1/dim sum_j max(0, 1 - sqrt(Var(a_j) + 1e-4))     (unbiased variance)
//	c(a) = 1/dim sum_{j != k} Cov(a)_jk^2                    (divided by batch-1)
//	L = Invariance s + Variance (v(a)+v(b))/2 + Covariance (c(a)+c(b))
//
// For more views s is the mean over pairs, v the mean over views and c twice the mean over views.
// z is [views*batch, dim] in view-major order, views >= 2, not normalised. With a batch of one
// variance and covariance are taken as zero: the variance term is constant.
func VICReg(z *graph.Node, views int, cfg VICRegConfig) *graph.Node {
	n := batch("VICReg", z, views)
	need(views >= 2, "VICReg: %d view, want at least 2", views)
	if cfg == (VICRegConfig{}) {
		cfg = VICRegDefaults
	}
	vs := split("VICReg", z, views)
	dim := z.Shape().Dimensions[1]
	pairs := views * (views - 1) / 2
	var loss *graph.Node
	add := func(weight float64, x *graph.Node) {
		x = graph.MulScalar(x, weight)
		if loss == nil {
			loss = x
		} else {
			loss = graph.Add(loss, x)
		}
	}
	row, col := indices(z.Graph(), dim, dim)
	for i, a := range vs {
		for _, b := range vs[i+1:] {
			add(cfg.Invariance/float64(pairs), graph.ReduceAllMean(graph.Square(graph.Sub(a, b))))
		}
		x := graph.Sub(a, graph.ReduceAndKeep(a, graph.ReduceMean, 0))
		unbiased := 1 / float64(max(n-1, 1))
		variance := graph.MulScalar(graph.ReduceSum(graph.Square(x), 0), unbiased)
		short := graph.OneMinus(graph.Sqrt(graph.AddScalar(variance, 1e-4)))
		zero := graph.ZerosLike(short)
		short = graph.Where(graph.GreaterThan(short, zero), short, zero)
		add(cfg.Variance/float64(views), graph.ReduceAllMean(short))
		cov := graph.MulScalar(graph.Einsum("ni,nj->ij", x, x), unbiased)
		off := graph.Where(graph.Equal(row, col), graph.ZerosLike(cov), cov)
		add(2*cfg.Covariance/float64(views*dim), graph.ReduceAllSum(graph.Square(off)))
	}
	return loss
}
