package objective

import (
	"github.com/gomlx/gomlx/core/graph"
)

// NTXent is the normalised temperature-scaled cross-entropy of SimCLR (Chen et al. 2020,
// arXiv:2002.05709, eq. 1). With u_i = z_i/|z_i|, s_ij = u_i.u_j/T and N = views*batch rows,
//
//	L = -1/N sum_i 1/(views-1) sum_{p in P(i)} log( exp(s_ip) / sum_{a != i} exp(s_ia) )
//
// where P(i) are the other views of the sample of row i. For two views this is the
// cross-entropy of the paper; for more the positives are averaged outside of the logarithm
// (L_out of Khosla et al. 2020).
//
// z is [views*batch, dim] in view-major order, views >= 2, temperature > 0 (0.1 to 0.5 is usual).
// With a batch of one and two views there is nothing to contrast with: loss and gradient are zero.
func NTXent(z *graph.Node, views int, temperature float64) *graph.Node {
	n := batch("NTXent", z, views)
	need(views >= 2, "NTXent: %d view, want at least 2", views)
	row, col := indices(z.Graph(), n*views, n*views)
	size := graph.Scalar(z.Graph(), row.DType(), n)
	positive := graph.Equal(graph.Mod(row, size), graph.Mod(col, size))
	return contrast("NTXent", z, positive, row, col, temperature)
}

// contrast is L_out of Khosla et al. 2020, eq. 2, averaged over the rows that have a positive.
// positive [rows, rows] is boolean; its diagonal is ignored.
func contrast(name string, z, positive, row, col *graph.Node, temperature float64) *graph.Node {
	need(temperature > 0, "%s: temperature %g is not positive", name, temperature)
	u := Normalize(z)
	sim := graph.MulScalar(products(u, u), 1/temperature)
	self := graph.Equal(row, col)
	log := logSumExp(graph.Where(self, constant(sim, masked), sim))
	weight := graph.Where(self, graph.ZerosLike(sim), float(positive))
	count := graph.ReduceSum(weight, -1) // [rows]
	some := graph.MaxScalar(count, 1)
	mean := graph.Div(graph.ReduceSum(graph.Mul(weight, sim), -1), some)
	has := float(graph.GreaterThan(count, graph.ZerosLike(count)))
	loss := graph.Mul(has, graph.Sub(log, mean))
	return graph.Div(graph.ReduceAllSum(loss), graph.MaxScalar(graph.ReduceAllSum(has), 1))
}
