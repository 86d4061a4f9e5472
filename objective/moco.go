package objective

import (
	"github.com/gomlx/gomlx/core/graph"
)

// MoCo is momentum contrast (He et al. 2020, arXiv:1911.05722, eq. 1), an InfoNCE whose
// negatives come from a queue of earlier keys:
//
//	L = -mean_i log( exp(q_i.k_i/T) / (exp(q_i.k_i/T) + sum_m exp(q_i.m/T)) )
//
// q [batch, dim] are queries of the student, k [batch, dim] keys of the momentum teacher for the
// other view of the same samples; both are normalised here and no gradient reaches k or the
// queue. queue [keys, dim] holds normalised keys, newest first; a run starts with random directions
// ([Normalize] of normal draws).
// next [keys, dim] is the queue for the following step: k put in front, the oldest dropped.
// The queue of this step does not hold k, so a batch of one has keys negatives.
func MoCo(q, k, queue *graph.Node, temperature float64) (loss, next *graph.Node) {
	n := batch("MoCo", q, 1)
	same("MoCo", q, k)
	batch("MoCo", queue, 1)
	need(queue.Shape().Dimensions[1] == q.Shape().Dimensions[1], "MoCo: queue %s does not fit queries %s", queue.Shape(), q.Shape())
	need(temperature > 0, "MoCo: temperature %g is not positive", temperature)
	u, key := Normalize(q), graph.StopGradient(Normalize(k))
	old := graph.StopGradient(queue)
	positive := graph.ReduceAndKeep(graph.Mul(u, key), graph.ReduceSum, -1) // [batch, 1]
	sim := graph.MulScalar(graph.Concatenate([]*graph.Node{positive, products(u, old)}, 1), 1/temperature)
	loss = graph.ReduceAllMean(graph.Sub(logSumExp(sim), graph.MulScalar(graph.Reshape(positive, n), 1/temperature)))

	keys := queue.Shape().Dimensions[0]
	if n >= keys {
		return loss, graph.Slice(key, graph.AxisRange(0, keys), graph.AxisRange())
	}
	keep := graph.Slice(old, graph.AxisRange(0, keys-n), graph.AxisRange())
	return loss, graph.Concatenate([]*graph.Node{key, keep}, 0)
}

// MoCoSymmetric is [MoCo] averaged over the ordered pairs of views (as MoCo v3 symmetrises,
// arXiv:2104.02057). q, k [views*batch, dim] are in view-major order; the keys of the first view
// enter the queue.
func MoCoSymmetric(q, k, queue *graph.Node, views int, temperature float64) (loss, next *graph.Node) {
	need(views >= 2, "MoCo: %d view, want at least 2", views)
	qs, ks := split("MoCo", q, views), split("MoCo", k, views)
	for v, a := range qs {
		for w, b := range ks {
			if v == w {
				continue
			}
			l, after := MoCo(a, b, queue, temperature)
			if w == 0 {
				next = after
			}
			if loss == nil {
				loss = l
			} else {
				loss = graph.Add(loss, l)
			}
		}
	}
	return graph.MulScalar(loss, 1/float64(views*(views-1))), next
}
