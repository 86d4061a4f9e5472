package objective

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// SupCon is the supervised contrastive loss L_out of Khosla et al. 2020 (arXiv:2004.11362,
// eq. 2):
//
//	L = mean_i -1/|P(i)| sum_{p in P(i)} log( exp(s_ip) / sum_{a != i} exp(s_ia) )
//
// with s as in [NTXent] and P(i) all other rows of the same class. The authors' program also
// multiplies by T/0.07; the paper and this function do not.
//
// z is [views*batch, dim] in view-major order; labels [batch] int32 are the classes. A negative
// label is "unlabelled": the positives of such a row are the other views of its own sample, so
// that without any label SupCon is NTXent. Rows without a positive (one view, class seen
// once) do not count; if no row counts the loss is zero.
func SupCon(z, labels *graph.Node, views int, temperature float64) *graph.Node {
	n := batch("SupCon", z, views)
	need(labels.DType() == dtypes.Int32 && labels.Rank() == 1 && labels.Shape().Dimensions[0] == n,
		"SupCon: labels are %s, want int32 [%d]", labels.Shape(), n)
	g := z.Graph()
	rows := n * views
	row, col := indices(g, rows, rows)
	size := graph.Scalar(g, dtypes.Int32, n)
	sample := graph.Equal(graph.Mod(row, size), graph.Mod(col, size))
	all := make([]*graph.Node, views)
	for v := range all {
		all[v] = labels
	}
	y := labels
	if views > 1 {
		y = graph.Concatenate(all, 0)
	}
	a := graph.BroadcastToDims(graph.Reshape(y, rows, 1), rows, rows)
	b := graph.BroadcastToDims(graph.Reshape(y, 1, rows), rows, rows)
	class := graph.LogicalAnd(graph.Equal(a, b), graph.GreaterOrEqual(a, graph.ZerosLike(a)))
	return contrast("SupCon", z, graph.LogicalOr(class, sample), row, col, temperature)
}
