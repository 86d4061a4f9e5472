package objective

import (
	"github.com/gomlx/gomlx/core/graph"
)

// SimSiam is the negative cosine similarity of predictions and targets, with a stop-gradient
// on the targets (Chen & He 2021, arXiv:2011.10566, eq. 1 and 3):
//
//	L = -mean over ordered pairs of views v != w and samples i of cos(p_vi, stop(t_wi))
//
// p [views*batch, dim] are the predictor's outputs and t [views*batch, dim] the projections,
// both in view-major order, views >= 2. The value lies in [-1, 1]. Rows are independent of
// each other, so a batch of one is as good as any.
func SimSiam(p, t *graph.Node, views int) *graph.Node {
	n := batch("SimSiam", p, views)
	same("SimSiam", p, t)
	need(views >= 2, "SimSiam: %d view, want at least 2", views)
	// Sum over w != v of t_w = total - t_v: one pass whatever the number of views.
	u := Normalize(p)
	others := split("SimSiam", graph.StopGradient(Normalize(t)), views)
	total := others[0]
	for _, o := range others[1:] {
		total = graph.Add(total, o)
	}
	for v, o := range others {
		others[v] = graph.Sub(total, o)
	}
	sum := graph.ReduceAllSum(graph.Mul(u, graph.Concatenate(others, 0)))
	return graph.MulScalar(sum, -1/float64(n*views*(views-1)))
}

// BYOL is the regression loss of "bootstrap your own latent" (Grill et al. 2020,
// arXiv:2006.07733, eq. 2), summed over the two directions as in the paper:
//
//	L = sum over (v, w) in {(1,2), (2,1)} of mean_i (2 - 2 cos(p_vi, stop(t_wi)))
//
// which is 4 + 4 [SimSiam]; for more views it is twice the mean over ordered pairs. p
// [views*batch, dim] are the predictions of the student, t [views*batch, dim] the projections of
// the momentum teacher (see optim.EMA). The value lies in [0, 8].
func BYOL(p, t *graph.Node, views int) *graph.Node {
	return graph.AddScalar(graph.MulScalar(SimSiam(p, t, views), 4), 4)
}
